import { post } from '../api';
import { Act } from '../parts/act';
import { Badge, NodeBadge } from '../parts/badge';
import { Copyable } from '../parts/copy';
import { Filter, Text } from '../parts/filter';
import { Loaded, Page } from '../parts/page';
import { Table } from '../parts/table';
import { Age } from '../parts/time';
import { useResource } from '../resource';
import { link, useRoute } from '../route';
import type { Node, NodeAdded, Nodes as Data } from '../types';
import { nodeTones, plural } from '../words';

export function Nodes() {
  const { query } = useRoute();
  const name = query.get('name') ?? '';
  const state = query.get('state') ?? '';
  // It is a long answer: what else changes on nodes is seen a bit later.
  const nodes = useResource<Data>('/v1/nodes', (event) => event.type.startsWith('NODE_'));
  const matches = (node: Node) =>
    (node.name.includes(name) || node.address.includes(name)) && node.state.startsWith(state.toUpperCase());
  return (
    <Page
      title="Nodes"
      lead="The machines of the cluster, those in trouble first."
      actions={<AddNode done={nodes.refresh} />}
    >
      <Filter>
        <Text name="name" label="Name or address contains" value={name} />
        <Text name="state" label="State" value={state} placeholder="OFFLINE" />
      </Filter>
      <Loaded resource={nodes}>
        {(data) => (
          <div class="sheet">
            <Table
              caption="Nodes"
              rows={sorted(data.nodes).filter(matches)}
              rowKey={(node) => node.name}
              empty={data.nodes.length > 0 ? 'No node is like that.' : 'No node was added yet.'}
              columns={[
                {
                  head: 'Node',
                  wide: 'all',
                  cell: (node) => <a href={link('nodes', node.name)}>{node.name}</a>,
                },
                { head: 'State', cell: (node) => <NodeBadge state={node.state} /> },
                { head: 'Since', number: true, cell: (node) => <Age at={node.stateTime} /> },
                { head: 'Roles', minor: true, cell: rolesOf },
                { head: 'Address', minor: true, cell: (node) => node.address },
                { head: 'Waiting', number: true, cell: (node) => node.tasksQueued },
                { head: 'Busy', minor: true, number: true, cell: (node) => node.tasksInFlight },
                { head: 'Preflight', cell: (node) => <Preflight node={node} /> },
                {
                  head: 'Agent',
                  minor: true,
                  cell: (node) => node.agentVersion || <span class="none">–</span>,
                },
              ]}
            />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

const order = Object.keys(nodeTones);
const sorted = (nodes: Node[]) =>
  [...nodes].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name));

export const rolesOf = (node: Node) => node.roles.map((role) => role.toLowerCase()).join(', ');

function Preflight({ node }: { node: Node }) {
  const count = (status: string) => node.checks.filter((check) => check.status === status).length;
  const failed = count('FAILED');
  const warned = count('WARNING');
  if (node.checks.length === 0) return <span class="none">none yet</span>;
  if (failed > 0) return <Badge tone="bad" word={`${failed} failed`} />;
  if (warned > 0) return <Badge tone="wait" word={plural(warned, 'warning')} />;
  return <Badge tone="good" word={`${count('OK')} ok`} />;
}

function AddNode({ done }: { done: () => void }) {
  return (
    <Act
      label="Add node"
      title="Add a node"
      run={async ({ name = '', address = '', role = '' }) => {
        const added = await post<NodeAdded>('/v1/nodes', { name, address, roles: [role] });
        done();
        return <JoinLine added={added} />;
      }}
    >
      <label>
        Name
        <input name="name" required maxLength={63} placeholder="web1" autoComplete="off" />
        <small>A lower-case letter, then letters, digits or -.</small>
      </label>
      <label>
        Address inside the cluster
        <input name="address" required placeholder="10.0.0.11" autoComplete="off" />
      </label>
      <label>
        Role
        <select name="role">
          <option value="APP">app: web, mail</option>
          <option value="STORAGE">storage: file server</option>
          <option value="BALANCER">balancer: spreads requests</option>
        </select>
      </label>
    </Act>
  );
}

export function JoinLine({ added }: { added: NodeAdded }) {
  return (
    <>
      <p>
        Run this on {added.node?.name}, as root. It is shown once
        {added.tokenExpireTime && (
          <>
            {' '}
            and works for <Age at={added.tokenExpireTime} />
          </>
        )}
        :
      </p>
      <p class="secret">
        <Copyable text={added.joinCommand} />
      </p>
    </>
  );
}
