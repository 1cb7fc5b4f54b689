import { getEvents, get, segment } from '../api';
import { CancelAct, RetryAct, SkipAct } from '../parts/command-acts';
import { CommandBadge } from '../parts/badge';
import { ResourceKey, took } from '../parts/command-table';
import { Facts, type Fact } from '../parts/facts';
import { FindingView } from '../parts/finding';
import { Loaded, Page, Section } from '../parts/page';
import { StageView } from '../parts/stage';
import { Timeline } from '../parts/timeline';
import { When } from '../parts/time';
import { useLoaded, useResource } from '../resource';
import { link } from '../route';
import type { Command, Event, Explanation } from '../types';
import { plural, sizeWord } from '../words';

export function CommandPage({ id }: { id: string }) {
  const path = `/v1/commands/${segment(id)}`;
  const ours = (event: Event) => event.commandId === id;
  const command = useResource<Command>(path, (event) => ours(event) || event.type === 'COMMAND_FINISHED');
  const explanation = useLoaded(
    `${path}/findings`,
    () => get<Explanation>(`${path}/findings`),
    (event) => event.commandId !== '' || event.type.startsWith('NODE_'),
  );
  const events = useLoaded(
    `${path} events`,
    () => getEvents<Event>(`/v1/events?commandId=${segment(id)}&noFollow=true`),
    ours,
  );
  function refresh() {
    command.refresh();
    explanation.refresh();
    events.refresh();
  }
  const data = command.data;
  return (
    <Page
      title={data ? `${data.kind} on ${data.resourceKey}` : `Command ${id}`}
      heading={data && <Heading command={data} />}
      lead={data && <Lead command={data} />}
      actions={data && <Actions command={data} refresh={refresh} />}
    >
      <Loaded resource={command}>
        {(data) => (
          <>
            <Why command={data} explanation={explanation.data} />
            <div class="columns">
              <div>
                <Stages command={data} />
                <Section title="Timeline">
                  <Loaded resource={events}>{(list) => <Timeline events={list} of="command" />}</Loaded>
                </Section>
              </div>
              <Asked command={data} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

const Heading = ({ command }: { command: Command }) => (
  <>
    {command.kind} on <ResourceKey name={command.resourceKey} /> <CommandBadge command={command} />
  </>
);

function Lead({ command }: { command: Command }) {
  const done = command.tasks.filter((task) => task.phase === 'FINISHED').length;
  const duration = took(command);
  return (
    <>
      <code>{command.id}</code> by {command.actor}, submitted <When at={command.createTime} />
      {duration
        ? `, finished after ${duration}`
        : `, ${done} of ${plural(command.tasks.length, 'task')} finished`}
    </>
  );
}

function Actions({ command, refresh }: { command: Command; refresh: () => void }) {
  if (command.state !== 'ACTIVE') return null;
  return (
    <>
      <RetryAct command={command} done={refresh} />
      <SkipAct command={command} done={refresh} />
      <CancelAct command={command} done={refresh} />
    </>
  );
}

function Why({ command, explanation }: { command: Command; explanation?: Explanation }) {
  if (command.state !== 'ACTIVE' || !explanation) return null;
  const stuck = explanation.findings.filter((finding) => finding.stuck);
  const moving = explanation.findings.filter((finding) => !finding.stuck);
  return (
    <Section title="Why it has not finished" aside={stuck.length > 0 && `${stuck.length} stuck`}>
      {stuck.length === 0 && <p class="calm">Nothing of it is stuck: nobody has to do anything.</p>}
      <ol class="causes">
        {stuck.map((finding, index) => (
          <FindingView finding={finding} open={index === 0} key={`${finding.taskId} ${finding.reason}`} />
        ))}
      </ol>
      {moving.length > 0 && (
        <details class="moving">
          <summary>{plural(moving.length, 'task')} in progress, or waiting for others</summary>
          <ol class="causes">
            {moving.map((finding) => (
              <FindingView finding={finding} key={`${finding.taskId} ${finding.reason}`} />
            ))}
          </ol>
        </details>
      )}
    </Section>
  );
}

function Stages({ command }: { command: Command }) {
  const stages = new Map<number, Command['tasks']>();
  for (const task of command.tasks) stages.set(task.stage, [...(stages.get(task.stage) ?? []), task]);
  return (
    <>
      {[...stages].map(([stage, tasks]) => (
        <StageView number={stages.size > 1 ? stage + 1 : undefined} tasks={tasks} key={stage} />
      ))}
      {command.tasks.length === 0 && (
        <Section title="Tasks">
          <p class="empty">It has no tasks of its own.</p>
        </Section>
      )}
    </>
  );
}

// The fields of what was asked for: CommandSpec has one, which is named as the kind.
function specFacts(command: Command): Fact[] {
  const spec = Object.values(command.spec ?? {})[0] as Record<string, unknown> | undefined;
  return Object.entries(spec ?? {}).map(([name, value]): Fact => {
    if (value === '' || value === false || (Array.isArray(value) && value.length === 0)) return null;
    if (name === 'quotaBytes') return ['quota', value === '0' ? 'unlimited' : sizeWord(String(value))];
    const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    return [words, typeof value === 'object' ? JSON.stringify(value) : String(value)];
  });
}

function Asked({ command }: { command: Command }) {
  const retry = command.retry;
  const parts = command.parts;
  return (
    <Section title="What was asked for" class="aside">
      <Facts
        facts={[
          ...specFacts(command),
          command.partOf && ['part of', <a href={link('commands', command.partOf)}>{command.partOf}</a>],
          parts && [
            'parts',
            <a href={`${link('commands')}?partOf=${command.id}`}>
              {parts.active} active, {parts.succeeded} succeeded, {parts.failed} failed
            </a>,
          ],
          command.notBefore && ['not before', <When at={command.notBefore} />],
          command.notAfter && ['not after', <When at={command.notAfter} />],
          command.priority !== 0 && ['priority', command.priority],
          command.maxParallel > 0 && ['at most', `${plural(command.maxParallel, 'node')} at once`],
          command.maxFailures !== undefined && [
            'gives up after',
            `more than ${command.maxFailures} failing nodes`,
          ],
          retry && ['tried', `at most ${retry.maxAttempts} times, then parked`],
          command.requestId && ['request id', <code>{command.requestId}</code>],
        ]}
      />
    </Section>
  );
}
