import { getLastEvents, segment, post, remove, withQuery } from '../api';
import { Act } from '../parts/act';
import { NodeBadge } from '../parts/badge';
import { CheckTable } from '../parts/check-table';
import { CommandTable } from '../parts/command-table';
import { Facts } from '../parts/facts';
import { FindingView } from '../parts/finding';
import { Loaded, Page, Section } from '../parts/page';
import { Age, Ago, When } from '../parts/time';
import { Timeline } from '../parts/timeline';
import { useLoaded, useResource } from '../resource';
import { go, link } from '../route';
import type { Commands, Created, Event, Findings, Node, NodeAdded, Overview } from '../types';
import { nodeWords, plural } from '../words';
import { JoinLine, rolesOf } from './nodes';

export function NodePage({ name }: { name: string }) {
  const ours = (event: Event) => event.node === name;
  const node = useResource<Node>(`/v1/nodes/${segment(name)}`, ours);
  const findings = useResource<Findings>(withQuery('/v1/findings', { node: name }));
  return (
    <Page
      title={`Node ${name}`}
      heading={
        <>
          {name} {node.data && <NodeBadge state={node.data.state} />}
        </>
      }
      lead={node.data && <Lead node={node.data} />}
      actions={node.data && <Actions node={node.data} done={node.refresh} />}
    >
      <Loaded resource={node}>
        {(data) => (
          <>
            <Loaded resource={findings}>{(list) => <Stuck findings={list} node={data} />}</Loaded>
            <div class="columns">
              <div>
                <Checks node={data} />
                <DesiredState node={data} findings={findings.data} />
                <Events name={name} concerns={ours} />
              </div>
              <Session node={data} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

const Lead = ({ node }: { node: Node }) => (
  <>
    {rolesOf(node)} at {node.address}
    {node.secondAddress && `, ${node.secondAddress}`} · {nodeWords[node.state]} since{' '}
    <Age at={node.stateTime} /> · {node.tasksQueued} wait, {node.tasksInFlight} with the node
  </>
);

function Stuck({ findings, node }: { findings: Findings; node: Node }) {
  const list = findings.findings;
  const causes = list.filter((finding) => !finding.rootTaskId);
  return (
    <>
      {node.pauseNote && (
        <p class="notice">
          {node.drained ? 'Drained' : 'Paused'} by {node.pausedBy}: {node.pauseNote}
        </p>
      )}
      {node.banNote && (
        <p class="notice">
          Banned by {node.bannedBy} <Ago at={node.banTime} />: {node.banNote}
        </p>
      )}
      {list.length > 0 && (
        <Section title="Findings" aside={list.length + findings.leftOut}>
          <ol class="causes">
            {causes.slice(0, 20).map((finding, index) => (
              <FindingView finding={finding} open={index === 0} key={`${finding.taskId} ${finding.reason}`} />
            ))}
          </ol>
          {list.length > causes.length && (
            <p>
              <a href={`${link('findings')}?node=${segment(node.name)}`}>
                {plural(list.length - causes.length, 'task')}
              </a>{' '}
              of it {list.length - causes.length === 1 ? 'waits' : 'wait'} for a task that is stuck.
            </p>
          )}
        </Section>
      )}
    </>
  );
}

function Checks({ node }: { node: Node }) {
  return (
    <Section
      title="Preflight"
      aside={
        node.preflightTime && (
          <>
            looked at <Ago at={node.preflightTime} />
          </>
        )
      }
    >
      <CheckTable
        checks={node.checks}
        caption="What the node must be able to do"
        empty="There was no preflight yet: it is made when the node joins."
      />
    </Section>
  );
}

// What the node should have is compared with what it has by commands of two kinds.
function DesiredState({ node, findings }: { node: Node; findings?: Findings }) {
  const { name } = node;
  const comparisons = useResource<Commands>(
    withQuery('/v1/commands', { resourceKey: `node/${name}`, pageSize: 5 }),
    (event) => event.commandId !== '',
  );
  const overview = useResource<Overview>('/v1/overview', () => false);
  const drifted = findings?.findings.filter(
    (finding) => finding.commandId === '' && finding.reason !== 'NODE_OFFLINE',
  );
  const compare = (apply: boolean) => async () => {
    const created = await post<Created>('/v1/commands', {
      spec: { resyncNode: { node: name, apply } },
    });
    go(link('commands', created.command!.id));
  };
  return (
    <Section title="Desired and actual state">
      <p>
        {overview.data &&
          `It should have what its roles need of ${plural(Number(overview.data.accounts), 'account')}
          and ${plural(Number(overview.data.shares), 'share')}. `}
        {drifted &&
          node.state === 'READY' &&
          (drifted.length === 0
            ? 'Nothing is known to differ: its agent looks every few seconds and puts back what is taken away.'
            : `${plural(drifted.length, 'difference')} known: see the findings above.`)}
      </p>
      <div class="actions">
        <Act
          label="Compare all accounts"
          title={`Compare ${name} with what it should have`}
          run={compare(false)}
        >
          <p>
            A preflight, and then each account is looked at on the node: user, home, quota, addresses. Nothing
            is changed. The differences are shown as warnings in the parts of the command that this submits.
          </p>
        </Act>
        <Act label="Put right" title={`Put right what differs on ${name}`} run={compare(true)}>
          <p>
            The same comparison; what differs is put right by the steps that created the accounts. What is to
            be mounted is mounted, and what is to be bound is bound.
          </p>
        </Act>
      </div>
      <Loaded resource={comparisons}>
        {(data) => <CommandTable of="key" commands={data.commands} empty="It was not compared yet." />}
      </Loaded>
    </Section>
  );
}

// Of the whole cluster; further back nobody looks for something that goes on now.
const recentEvents = 5000;

function Events({ name, concerns }: { name: string; concerns: (event: Event) => boolean }) {
  const events = useLoaded(`events of ${name}`, () => getLastEvents(recentEvents, { node: name }), concerns);
  return (
    <Section title="Last events">
      <Loaded resource={events}>{(list) => <Timeline events={list.slice(-30).reverse()} of="node" />}</Loaded>
    </Section>
  );
}

function Session({ node }: { node: Node }) {
  const skew = Number(node.clockSkewMs);
  return (
    <Section title="Session and certificate" class="aside">
      <Facts
        facts={[
          ['agent', node.agentVersion || 'not seen yet'],
          ['takes', `${plural(node.credits, 'task')} at once`],
          ['clock', `${skew >= 0 ? '+' : ''}${skew} ms from the manager’s`],
          ['added', <When at={node.createTime} />],
          ['joined', <When at={node.joinTime} />],
          node.certificateExpireTime && [
            'certificate',
            <>
              until <When at={node.certificateExpireTime} />
            </>,
          ],
          node.certificateSerial && ['serial', <code>{node.certificateSerial}</code>],
          node.nextCertificateSerial && ['next serial', <code>{node.nextCertificateSerial}</code>],
          node.certificateAuthority && ['signed by', <code>{node.certificateAuthority}</code>],
          node.approvalWantedTime && ['waits for approval', <Ago at={node.approvalWantedTime} />],
          node.approvedUntilTime && [
            'approved',
            <>
              until <When at={node.approvedUntilTime} /> by {node.approvedBy}
            </>,
          ],
        ]}
      />
    </Section>
  );
}

function Actions({ node, done }: { node: Node; done: () => void }) {
  const path = `/v1/nodes/${segment(node.name)}`;
  const act = (verb: string, body: object = {}) => post<Node>(`${path}:${verb}`, body).then(done);
  const { name } = node;
  return (
    <>
      {node.state === 'PAUSED' ? (
        <Act label="Resume" title={`Resume ${name}`} run={() => act('resume')}>
          <p>
            {plural(node.tasksQueued, 'task')} that {node.tasksQueued === 1 ? 'waits' : 'wait'} for it can be
            sent again.
            {node.drained && ' Balancers send it new connections again.'}
          </p>
        </Act>
      ) : (
        <Act
          label="Pause"
          title={`Pause ${name}`}
          note="required"
          run={({ note = '', drain }) => act('pause', { note, drain: drain === 'on' })}
        >
          <p>
            It gets no new tasks until it is resumed: {node.tasksQueued} wait already, and what comes for it
            will. What it has ({plural(node.tasksInFlight, 'task')}) it finishes. Commands that also go to
            other nodes go on there, and finish when this node is resumed.
          </p>
          <label class="check">
            <input type="checkbox" name="drain" /> balancers send it no new connections either
          </label>
        </Act>
      )}
      <Act
        label="New join line"
        title={`A new join line for ${name}`}
        run={async () => {
          const added = await post<NodeAdded>(`${path}:rejoin`);
          done();
          return <JoinLine added={added} />;
        }}
      >
        <p>
          For a node whose certificate has expired, or whose key was lost or copied. When it has joined with
          the line, its certificates of before are void. An older line that was not used is void at once.
        </p>
      </Act>
      {node.approvalWantedTime && (
        <Act label="Approve" title={`Approve ${name}`} run={() => act('approve')}>
          <p>For an hour it gets a new certificate for its old one, for however long that has expired.</p>
        </Act>
      )}
      {node.state === 'BANNED' ? (
        <Act label="Unban" title={`Let ${name} back`} run={() => act('unban')}>
          <p>It may connect again with the certificate that it has, and what waits for it is sent.</p>
        </Act>
      ) : (
        <Act
          label="Ban"
          title={`Ban ${name}`}
          danger
          note="required"
          run={({ note = '' }) => act('ban', { note })}
        >
          <p>
            For a machine in strange hands: its session ends within a second, and it gets none, nor a
            certificate, until the ban is lifted. Its{' '}
            {plural(node.tasksQueued + node.tasksInFlight, 'unfinished task')} stay. Balancers send it no new
            connections.
          </p>
        </Act>
      )}
      <Act
        label="Remove"
        title={`Remove ${name} from the cluster`}
        danger
        run={async ({ force }) => {
          await remove(withQuery(path, { force: force === 'on' }));
          go(link('nodes'));
        }}
      >
        <p>
          Its session ends, and its certificate is void. Nothing is undone on the machine: it keeps its
          addresses on lo, its mounts and its users until somebody removes them there.
        </p>
        <label class="check">
          <input type="checkbox" name="force" /> also with unfinished tasks (
          {node.tasksQueued + node.tasksInFlight}): they end as CANCELLED
        </label>
      </Act>
    </>
  );
}
