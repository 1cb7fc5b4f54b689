import { link } from '../route';
import type { Finding } from '../types';
import { causeOf, isReason, meaningOf, ownerWord } from '../words';
import { Badge, ReasonCode } from './badge';
import { Evidence, Facts } from './facts';
import { Remedy } from './remedy';
import { Age } from './time';

const commandOf = (task: string) => task.split('/')[0] ?? '';

export function FindingView({ finding, open = false }: { finding: Finding; open?: boolean }) {
  const cause = causeOf(finding);
  return (
    <li>
      <details class={finding.stuck ? 'cause' : 'cause moving'} open={open}>
        <summary>
          <span class="what">
            <strong>{cause}</strong>
            <span class="subject"> {finding.node || 'manager'}</span>
            <span class="meaning">
              {finding.taskId ? `${finding.kind} on ${finding.resourceKey}` : meaningOf(cause)}
            </span>
          </span>
          <Badge tone={finding.stuck ? 'bad' : 'busy'} word={finding.stuck ? 'stuck' : 'moves by itself'} />
          <span class="age">
            <Age at={finding.sinceTime} />
          </span>
        </summary>
        <div class="body">
          <p>{finding.summary}</p>
          <Facts
            facts={[
              isReason(finding.cause) && ['Why', <Meaning code={finding.reason} />],
              ['Cause', <Meaning code={cause} />],
              ['Must act', ownerWord(finding.owner, finding.ownerNode || finding.node)],
              finding.taskId && ['Task', <a href={link('commands', finding.commandId)}>{finding.taskId}</a>],
              finding.rootTaskId && [
                'Waits for',
                <a href={link('commands', commandOf(finding.rootTaskId))}>{finding.rootTaskId}</a>,
              ],
              finding.node && ['Node', <a href={link('nodes', finding.node)}>{finding.node}</a>],
            ]}
          />
          <Evidence evidence={finding.evidence} />
          {finding.remedy && <h3>What to do</h3>}
          <Remedy text={finding.remedy} />
        </div>
      </details>
    </li>
  );
}

const Meaning = ({ code }: { code: string }) => (
  <>
    <ReasonCode code={code} /> {meaningOf(code)}
  </>
);
