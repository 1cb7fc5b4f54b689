import { Badge, NodeBadge } from '../parts/badge';
import { CauseRow, NodeNames } from '../parts/cause';
import { Loaded, Page, Section } from '../parts/page';
import { Pauses } from '../parts/pauses';
import { Table } from '../parts/table';
import { Age } from '../parts/time';
import { useResource } from '../resource';
import { link } from '../route';
import type { Overview as Data, Throughput } from '../types';
import { nodeTones, phaseTones, phaseWords, plural } from '../words';

export function Overview() {
  const overview = useResource<Data>('/v1/overview');
  return (
    <Page
      title="Overview"
      heading={overview.data ? verdict(overview.data) : 'Overview'}
      lead={overview.data && <Lead data={overview.data} />}
    >
      <Loaded resource={overview}>
        {(data) => (
          <div class="overview">
            <Findings data={data} />
            <Queue data={data} />
            <Section title="Nodes" class="nodes">
              <Nodes counts={data.nodes} />
            </Section>
          </div>
        )}
      </Loaded>
    </Page>
  );
}

const stuckTasks = (data: Data) =>
  data.causes.reduce((sum, cause) => sum + Number(cause.taskCount) + Number(cause.waitingCount), 0);

function verdict(data: Data): string {
  const causes = data.causes.length + data.causesLeftOut;
  if (causes === 0) return 'Nothing is stuck';
  const tasks = stuckTasks(data);
  const held = tasks > 0 ? `, ${plural(tasks, 'task')} held up` : '';
  return `${plural(causes, 'cause')} to mend${held}`;
}

function Lead({ data }: { data: Data }) {
  const manager = data.manager;
  return (
    <>
      {manager?.cluster && `${manager.cluster} · `}
      {plural(Number(data.accounts), 'account')} · {plural(Number(data.activeCommands), 'command')} under way
      · <a href={link('manager')}>manager</a> {manager?.version}, up for <Age at={manager?.startTime} />
    </>
  );
}

function Findings({ data }: { data: Data }) {
  const manager = data.manager;
  return (
    <Section
      title="Findings"
      class="findings"
      aside={data.causes.length > 0 && <a href={link('findings')}>each of {data.stuckFindings}</a>}
    >
      {manager && !manager.storeOk && (
        <p class="problem" role="alert">
          The manager cannot write its database since <Age at={manager.storeFailedTime} />, and accepts
          nothing: {manager.storeMessage}
        </p>
      )}
      {data.causes.length === 0 ? (
        <p class="calm">Everything moves, or waits its turn. Nobody has to do anything.</p>
      ) : (
        <ol class="causes">
          {data.causes.map((cause, index) => (
            <CauseRow cause={cause} first={index === 0} key={cause.id} />
          ))}
        </ol>
      )}
      {data.causesLeftOut > 0 && (
        <p class="quiet">
          and {plural(data.causesLeftOut, 'cause')} more: <a href={link('findings')}>all findings</a>
        </p>
      )}
      {Number(data.alarms) > 0 && (
        <p>
          <a href={link('alarms')}>
            <Badge tone="bad" word={plural(Number(data.alarms), 'alarm')} />
          </a>{' '}
          to look into
        </p>
      )}
      {Number(data.pauses) > 0 && <Pauses />}
    </Section>
  );
}

function Queue({ data }: { data: Data }) {
  const most = Math.max(1, ...data.phases.map((phase) => Number(phase.count)));
  return (
    <Section title="Queue" class="queue">
      <Table
        dense
        caption="Unfinished tasks by phase"
        rows={data.phases}
        rowKey={(row) => row.phase}
        empty="No task is unfinished."
        columns={[
          {
            head: 'Phase',
            cell: (row) => (
              <Badge tone={phaseTones[row.phase]} word={row.phase} title={phaseWords[row.phase]} />
            ),
          },
          {
            head: 'Tasks',
            number: true,
            wide: 'all',
            cell: (row) => (
              <span class="progress">
                <meter min={0} max={most} value={Number(row.count)} aria-hidden="true" />
                <span>{row.count}</span>
              </span>
            ),
          },
          {
            head: 'Oldest',
            number: true,
            cell: (row) => (
              <a href={link('commands', row.oldestTaskId.split('/')[0] ?? '')} title={row.oldestTaskId}>
                <Age at={row.oldestTime} />
              </a>
            ),
          },
        ]}
      />
      <Table
        dense
        caption="Throughput"
        rows={[
          { span: 'last minute', counts: data.lastMinute },
          { span: 'last hour', counts: data.lastHour },
        ]}
        rowKey={(row) => row.span}
        empty=""
        columns={[
          { head: 'Throughput', wide: 'all', cell: (row) => row.span },
          { head: 'Accepted', number: true, cell: (row) => row.counts?.commandsAccepted ?? 0 },
          { head: 'Finished', number: true, cell: (row) => row.counts?.tasksFinished ?? 0 },
          { head: 'Failed', number: true, cell: (row) => <Failed counts={row.counts} /> },
        ]}
      />
    </Section>
  );
}

function Failed({ counts }: { counts: Throughput | undefined }) {
  const failed = counts?.tasksFailed ?? '0';
  return failed === '0' ? <>0</> : <strong class="bad">{failed}</strong>;
}

// By state, the worst first. The names of all would be too much for a first look.
function Nodes({ counts }: { counts: Data['nodes'] }) {
  const order = Object.keys(nodeTones);
  const sorted = [...counts].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state));
  return (
    <Table
      dense
      caption="Nodes by state"
      rows={sorted}
      rowKey={(row) => row.state}
      empty="No node was added yet."
      columns={[
        { head: 'State', cell: (row) => <NodeBadge state={row.state} /> },
        {
          head: 'Nodes',
          number: true,
          cell: (row) => <a href={`${link('nodes')}?state=${row.state}`}>{row.count}</a>,
        },
        {
          head: 'Which',
          wide: 'all',
          cell: (row) => <NodeNames names={row.names} count={Number(row.count)} />,
        },
      ]}
    />
  );
}
