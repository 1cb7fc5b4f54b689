import type { ComponentChildren } from 'preact';
import { get, post, segment, withQuery } from '../api';
import { useLoaded } from '../resource';
import { link } from '../route';
import type { Command, Commands, Task } from '../types';
import { isRetryable, plural } from '../words';
import { Act } from './act';
import { TaskBadge } from './badge';

interface Props {
  command: Command;
  done: () => void;
}

const act = (command: Command, verb: string, body: object) =>
  post<Command>(`/v1/commands/${segment(command.id)}:${verb}`, body);

export function RetryAct({ command, done }: Props) {
  const tasks = command.tasks.filter(isRetryable);
  return (
    <Act
      label="Retry"
      title={`Retry ${command.kind} on ${command.resourceKey}`}
      disabled={
        tasks.length + (command.parts?.active ?? 0) === 0 ? 'No task of it is parked or backing off.' : ''
      }
      run={async ({ node = '' }) => {
        await act(command, 'retry', { node });
        done();
      }}
    >
      <p>These tasks are sent again now. Each step looks before it acts, so nothing is done twice:</p>
      <TaskList tasks={tasks} command={command} />
      <OneNode tasks={tasks} />
      <p class="quiet">
        If the cause is not mended, they fail again in the same way, and nothing is lost by it.
      </p>
    </Act>
  );
}

export function SkipAct({ command, done }: Props) {
  const tasks = command.tasks.filter(isRetryable);
  return (
    <Act
      label="Skip"
      title={`Skip ${command.kind} on ${command.resourceKey}`}
      danger
      note="required"
      disabled={
        tasks.length + (command.parts?.active ?? 0) === 0 ? 'No task of it is parked or backing off.' : ''
      }
      run={async ({ note = '', node = '' }) => {
        await act(command, 'skip', { node, note });
        done();
      }}
    >
      <p>
        These tasks are given up: they end as FAILED, and so does the command. What they did before they
        failed is not undone.
      </p>
      <TaskList tasks={tasks} command={command} />
      <OneNode tasks={tasks} />
      <Behind command={command}>What waits behind them goes on, without what they should have done</Behind>
    </Act>
  );
}

export function CancelAct({ command, done }: Props) {
  const open = command.tasks.filter((task) => task.phase !== 'FINISHED');
  const withNode = open.filter((task) => ['LEASED', 'ACCEPTED', 'RUNNING', 'UNKNOWN'].includes(task.phase));
  const waiting = open.filter((task) => !withNode.includes(task));
  const finished = command.tasks.filter((task) => task.outcome === 'SUCCEEDED');
  return (
    <Act
      label="Cancel"
      title={`Cancel ${command.kind} on ${command.resourceKey}`}
      danger
      run={async () => {
        await act(command, 'cancel', {});
        done();
      }}
    >
      {waiting.length > 0 && (
        <>
          <p>End at once as CANCELLED:</p>
          <TaskList tasks={waiting} command={command} />
        </>
      )}
      {withNode.length > 0 && (
        <>
          <p>
            Are with their nodes, which give them up before the first step, or after the step they are in:
          </p>
          <TaskList tasks={withNode} command={command} />
        </>
      )}
      {finished.length > 0 && (
        <p>
          {plural(finished.length, 'task')} {finished.length === 1 ? 'has' : 'have'} succeeded: what was done
          there stays. To undo it, submit a command that does.
        </p>
      )}
      <Behind command={command}>What waits behind it goes on, without what it should have done</Behind>
    </Act>
  );
}

function TaskList({ tasks, command }: { tasks: Task[]; command: Command }) {
  return (
    <ul class="tasks">
      {tasks.slice(0, 20).map((task) => (
        <li key={task.id}>
          <strong>{task.node}</strong> <TaskBadge task={task} />{' '}
          {task.attempt > 0 && <small>after {plural(task.attempt, 'attempt')}</small>}
        </li>
      ))}
      {tasks.length > 20 && <li>and {tasks.length - 20} more</li>}
      {command.parts && command.parts.active > 0 && (
        <li>and what applies of {plural(command.parts.active, 'unfinished part')} of it</li>
      )}
    </ul>
  );
}

function OneNode({ tasks }: { tasks: Task[] }) {
  if (tasks.length < 2) return null;
  return (
    <label>
      On
      <select name="node">
        <option value="">all of these nodes</option>
        {tasks.map((task) => (
          <option key={task.node} value={task.node}>
            {task.node} only
          </option>
        ))}
      </select>
    </label>
  );
}

// The commands that wait for this one: those on the same key that came later, where both have a task.
function Behind({ command, children }: { command: Command; children: ComponentChildren }) {
  const path = withQuery('/v1/commands', {
    resourceKey: command.resourceKey,
    activeOnly: true,
    pageSize: 1000,
  });
  const commands = useLoaded(path, () => get<Commands>(path));
  if (commands.problem) return null;
  if (!commands.data) return <p class="loading">Looking for what waits behind it …</p>;
  const isOpen = (task: Task) => task.phase !== 'FINISHED';
  const nodes = new Set(command.tasks.filter(isOpen).map((task) => task.node));
  const behind = commands.data.commands.filter(
    (other) => other.id > command.id && other.tasks.some((task) => isOpen(task) && nodes.has(task.node)),
  );
  if (behind.length === 0) return <p class="quiet">Nothing waits behind it.</p>;
  return (
    <>
      <p>{children}:</p>
      <ul class="tasks">
        {behind.slice(0, 10).map((other) => (
          <li key={other.id}>
            <strong>{other.kind}</strong> on {other.resourceKey}{' '}
            <a href={link('commands', other.id)}>{other.id}</a> by {other.actor}
          </li>
        ))}
        {behind.length > 10 && <li>and {behind.length - 10} more</li>}
      </ul>
    </>
  );
}
