import { segment, post } from '../api';
import { Act } from '../parts/act';
import { Badge, NodeBadge, ReasonCode } from '../parts/badge';
import { CommandTable } from '../parts/command-table';
import { Evidence, Facts } from '../parts/facts';
import { FindingView } from '../parts/finding';
import { Loaded, Page, Section } from '../parts/page';
import { Remedy } from '../parts/remedy';
import { Table } from '../parts/table';
import { Ago, When } from '../parts/time';
import { useResource } from '../resource';
import { go, link } from '../route';
import type { AccountOnNode, AccountStatus, Created } from '../types';
import { accountTones, isReason, verdictTones } from '../words';
import { quotaOf } from './accounts';

// Is it right everywhere?
export function Account({ domain }: { domain: string }) {
  const status = useResource<AccountStatus>(`/v1/accounts/${segment(domain)}/status`);
  const verdict = status.data?.verdict;
  return (
    <Page
      title={domain}
      heading={
        <>
          {domain} {verdict && <Badge tone={verdictTones[verdict.state]} word={verdict.state} />}
        </>
      }
      lead={verdict?.summary}
      actions={status.data && <Actions domain={domain} />}
    >
      <Loaded resource={status}>
        {(data) => (
          <>
            <Remedy text={data.verdict?.remedy ?? ''} />
            {data.findings.length > 0 && (
              <Section title="Findings" aside={data.findings.length}>
                <ol class="causes">
                  {data.findings.map((finding, index) => (
                    <FindingView
                      finding={finding}
                      open={finding.stuck && index === 0}
                      key={`${finding.taskId} ${finding.reason}`}
                    />
                  ))}
                </ol>
              </Section>
            )}
            <div class="columns">
              <div>
                <Section title="On each node" aside="those that are not right first">
                  <ul class="stage">
                    {worstFirst(data.nodes).map((node) => (
                      <OnNode node={node} key={node.node} />
                    ))}
                  </ul>
                  {data.nodes.length === 0 && <p class="empty">No node of the cluster should have it.</p>}
                </Section>
                <Section
                  title="Commands"
                  aside={<a href={`${link('commands')}?key=account/${domain}`}>all of them</a>}
                >
                  <CommandTable of="key" commands={data.commands} empty="There was no command." />
                </Section>
              </div>
              <Desired status={data} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

const order = Object.keys(verdictTones);
const worstFirst = (nodes: AccountOnNode[]) =>
  [...nodes].sort(
    (a, b) =>
      order.indexOf(a.verdict?.state ?? 'UNKNOWN') - order.indexOf(b.verdict?.state ?? 'UNKNOWN') ||
      a.node.localeCompare(b.node),
  );

function OnNode({ node }: { node: AccountOnNode }) {
  const state = node.verdict?.state ?? 'UNKNOWN';
  const tone = verdictTones[state];
  const wanted = node.wanted;
  return (
    <li>
      <details class={`task ${tone}`} open={tone === 'bad'}>
        <summary>
          <strong>{node.node}</strong>
          <Badge tone={tone} word={state} />
          <span class="what">{node.verdict?.summary}</span>
        </summary>
        <div class="body">
          <Remedy text={node.verdict?.remedy ?? ''} />
          <Facts
            facts={[
              wanted && ['Should have', <Wanted wanted={wanted} />],
              ['Looked at', node.lookTime ? <Look node={node} /> : 'never'],
              node.lastTask && [
                'Last task',
                <a href={link('commands', node.lastTask.commandId)}>
                  {node.lastTaskKind},{' '}
                  {node.lastTask.phase === 'FINISHED' ? node.lastTask.outcome : node.lastTask.phase}
                </a>,
              ],
              [
                'Node',
                <>
                  {node.roles.map((role) => role.toLowerCase()).join(', ')}{' '}
                  <NodeBadge state={node.nodeState} />
                </>,
              ],
            ]}
          />
          {node.differences.length > 0 && (
            <Table
              caption="What differs"
              rows={node.differences}
              rowKey={(step) => step.name}
              empty=""
              columns={[
                { head: 'Differs', cell: (step) => step.name },
                {
                  head: 'What was seen',
                  wide: 'all',
                  cell: (step) => (
                    <>
                      {isReason(step.reason) && <ReasonCode code={step.reason} />} {step.message}
                      <Evidence evidence={step.evidence} />
                    </>
                  ),
                },
              ]}
            />
          )}
          {node.findings.length > 0 && (
            <ol class="causes">
              {node.findings.map((finding) => (
                <FindingView finding={finding} key={finding.reason} />
              ))}
            </ol>
          )}
          <p class="quiet">
            <a href={link('nodes', node.node)}>Node {node.node}</a>
          </p>
        </div>
      </details>
    </li>
  );
}

function Wanted({ wanted }: { wanted: NonNullable<AccountOnNode['wanted']> }) {
  const parts = [
    wanted.home && `home ${wanted.home}`,
    wanted.home && `quota ${quotaOf(wanted.quotaBytes)}`,
    ...wanted.addresses,
    wanted.suspended && 'the login locked',
  ].filter(Boolean);
  return <>{parts.join(', ') || 'the user'}</>;
}

const Look = ({ node }: { node: AccountOnNode }) => (
  <>
    <Ago at={node.lookTime} />
    {node.lookCommandId && (
      <>
        {' '}
        by <a href={link('commands', node.lookCommandId)}>{node.lookCommandId}</a>
      </>
    )}
  </>
);

function Desired({ status }: { status: AccountStatus }) {
  const account = status.account;
  if (!account) return null;
  return (
    <Section title="As it should be" class="aside">
      <Facts
        facts={[
          ['state', <Badge tone={accountTones[account.state]} word={account.state} />],
          account.suspendNote && ['note', account.suspendNote],
          ['user', account.user],
          ['uid, gid', `${account.uid}, ${account.gid}`],
          ['home', account.home],
          ['quota', quotaOf(account.quotaBytes)],
          ['addresses', account.addresses.join(', ')],
          ['created', <When at={account.createTime} />],
        ]}
      />
    </Section>
  );
}

function Actions({ domain }: { domain: string }) {
  const compare = (apply: boolean) => async () => {
    const created = await post<Created>('/v1/commands', {
      spec: { resyncAccount: { domain, apply } },
    });
    go(link('commands', created.command!.id));
  };
  return (
    <>
      <Act label="Look again" title={`Compare ${domain} with what it should be`} run={compare(false)}>
        <p>
          All of it is read back on every node now: user, home, quota, addresses. Nothing is changed.
          Differences are shown here, and as warnings in the steps of the command that this submits.
        </p>
      </Act>
      <Act label="Put right" title={`Put right what differs of ${domain}`} run={compare(true)}>
        <p>The same; what differs is put right by the steps that created the account.</p>
      </Act>
    </>
  );
}
