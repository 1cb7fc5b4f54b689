import type { Command, Node, Task } from '../types';
import { commandState, meaningOf, nodeTones, nodeWords, taskState, type Tone } from '../words';

// A state: a mark whose shape differs by tone, and the word.
export function Badge({ tone, word, title }: { tone: Tone; word: string; title?: string }) {
  return (
    <span class={`badge ${tone}`} title={title || undefined}>
      {word}
    </span>
  );
}

export function TaskBadge({ task }: { task: Task }) {
  const { word, tone, meaning } = taskState(task);
  return <Badge tone={tone} word={word} title={meaning} />;
}

export function CommandBadge({ command }: { command: Command }) {
  const { word, tone } = commandState(command);
  const troubled = command.state === 'ACTIVE' && (tone === 'bad' || tone === 'wait');
  return <Badge tone={tone} word={word} title={troubled ? 'a task of it has failed' : ''} />;
}

export const NodeBadge = ({ state }: { state: Node['state'] }) => (
  <Badge tone={nodeTones[state]} word={state} title={nodeWords[state]} />
);

export const ReasonCode = ({ code }: { code: string }) => (
  <code class="reason" title={meaningOf(code)}>
    {code}
  </code>
);
