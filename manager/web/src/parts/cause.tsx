import { useState } from 'preact/hooks';
import { post, withQuery } from '../api';
import { link } from '../route';
import type { Cause, Retried } from '../types';
import { meaningOf, ownerShort, ownerWord, plural } from '../words';
import { Act } from './act';
import { Copyable } from './copy';
import { Facts } from './facts';
import { Remedy } from './remedy';
import { Age } from './time';

// One thing to mend, and how much waits for it.
export function CauseRow({ cause, first }: { cause: Cause; first: boolean }) {
  const [open] = useState(first);
  const tasks = Number(cause.taskCount);
  const waiting = Number(cause.waitingCount);
  const all = tasks + waiting;
  const [command = ''] = cause.exampleTaskId.split('/');
  return (
    <li>
      <details class="cause" open={open}>
        <summary>
          <span class="count" title={`${plural(tasks, 'task')} themselves, ${waiting} behind them`}>
            {all > 0 ? all : '!'}
            <small>{all > 0 ? (all === 1 ? 'task' : 'tasks') : 'no task'}</small>
          </span>
          <span class="what">
            <strong>{cause.reason}</strong>
            {cause.subject && <span class="subject"> {cause.subject}</span>}
            <span class="meaning">{meaningOf(cause.reason)}</span>
          </span>
          <span class="age">
            <Age at={cause.sinceTime} />
            <small>{ownerShort(cause.owner)}</small>
          </span>
        </summary>
        <div class="body">
          <p>{cause.summary}</p>
          <Facts
            facts={[
              ['Must act', ownerWord(cause.owner, cause.subject)],
              cause.nodeCount > 0 && ['On', <NodeNames names={cause.nodes} count={cause.nodeCount} />],
              all > 0 && [
                'Held up',
                `${plural(tasks, 'task')}, and ${waiting} that wait for ${tasks === 1 ? 'it' : 'them'}`,
              ],
            ]}
          />
          <h3>What to do</h3>
          <Remedy text={cause.remedy} />
          <div class="actions">
            {command && (
              <a class="button" href={link('commands', command)}>
                Look at one
              </a>
            )}
            <a class="button" href={withQuery(link('findings'), { reason: cause.reason })}>
              Each finding
            </a>
            {tasks > 0 && <RetryAll cause={cause} />}
          </div>
        </div>
      </details>
    </li>
  );
}

export function NodeNames({ names, count }: { names: string[]; count: number }) {
  return (
    <>
      {names.map((name, index) => (
        <>
          {index > 0 && ', '}
          <a href={link('nodes', name)}>{name}</a>
        </>
      ))}
      {count > names.length && ` and ${count - names.length} more`}
    </>
  );
}

function RetryAll({ cause }: { cause: Cause }) {
  return (
    <Act
      label="Try again"
      title={`Try again what failed with ${cause.reason}`}
      run={async () => {
        const done = await post<Retried>('/v1/tasks:retry', { reason: cause.reason });
        const remaining = done.remaining > 0 ? `; ${done.remaining} more match, try again` : '';
        return <p>{`${plural(done.taskIds.length, 'task')} are tried again now${remaining}.`}</p>;
      }}
    >
      <p>
        Every task of the cluster that is parked or backing off because of {cause.reason} is sent again now.
        Each step looks before it acts, so nothing is done twice. What is not mended fails again, and is
        parked again.
      </p>
      <p class="quiet">
        On the command line: <Copyable text={`hostq command retry --reason ${cause.reason}`} />
      </p>
    </Act>
  );
}
