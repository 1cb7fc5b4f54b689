// A remedy is a sentence for people, with commands to type in it. It is taken apart as the command
// line does it (clauses at "; "), and the commands are found, so that they can be copied.

export interface Piece {
  text: string;
  command: boolean;
}

// At "; " outside of parentheses.
export function clauses(remedy: string): string[] {
  const out: string[] = [];
  let clause = '';
  let depth = 0;
  for (let i = 0; i < remedy.length; ++i) {
    if (remedy[i] === '(') ++depth;
    if (remedy[i] === ')') --depth;
    if (depth <= 0 && remedy.startsWith('; ', i)) {
      out.push(clause);
      clause = '';
      ++i;
    } else {
      clause += remedy[i];
    }
  }
  if (clause.trim()) out.push(clause);
  return out;
}

// Programs that remedies name, with as much behind them as tells a command from a word of the sentence.
const programs = new RegExp(
  `(?<![\\w/.-])(?:${[
    'hostq (?:account|address|administrator|alarm|audit|authority|balancer|command|doctor|events|explain|key|node|notice|overview|quota|share|stuck|top|webhook)',
    '(?:systemctl|journalctl|exportfs|quotaon|modprobe|umount|sysctl|tune2fs|timedatectl|df) [\\w/-]',
    '(?:ln|mkdir|mv|rm|rmdir) [/-]',
    '(?:chmod|chown) \\S+[:+=-]\\S* \\S',
    'ip (?:addr|link|neigh|route)',
  ].join('|')})`,
  'g',
);
// Where the sentence goes on behind a command.
const end = /[,;()]|\. |\?|: | (?:on|there|and|or|then|in|if|until|as|tells|has) | (?:there|tells)$|\.$|$/;

export function pieces(clause: string): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const match of clause.matchAll(programs)) {
    const start = match.index;
    if (start < from) continue;
    const length = clause.slice(start).search(end);
    const command = clause.slice(start, start + length).trimEnd();
    if (start > from) out.push({ text: clause.slice(from, start), command: false });
    out.push({ text: command, command: true });
    from = start + command.length;
  }
  if (from < clause.length) out.push({ text: clause.slice(from), command: false });
  return out;
}
