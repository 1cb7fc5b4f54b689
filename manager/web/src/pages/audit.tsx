import { withQuery } from '../api';
import { Badge, ReasonCode } from '../parts/badge';
import { Check, Filter, Text } from '../parts/filter';
import { Loaded, Page } from '../parts/page';
import { Pager } from '../parts/pager';
import { Table } from '../parts/table';
import { When } from '../parts/time';
import { useResource } from '../resource';
import { useRoute } from '../route';
import type { AuditEntries, AuditEntry, AuditHead } from '../types';
import { isReason } from '../words';

export function Audit() {
  const { query } = useRoute();
  const page = query.get('page') ?? '';
  const refused = query.get('refused') === 'true';
  const [actor, act, target] = ['actor', 'act', 'target'].map((name) => query.get(name) ?? '');
  const path = withQuery('/v1/audit', {
    newestFirst: true,
    pageSize: 50,
    pageToken: page,
    actor,
    act,
    target,
    refusedOnly: refused,
  });
  const entries = useResource<AuditEntries>(path);
  const head = useResource<AuditHead>('/v1/audit/head');
  return (
    <Page title="Audit" lead={<Lead head={head.data} />}>
      <Filter>
        <Text name="actor" label="Who" value={actor!} placeholder="alice, key/billing" />
        <Text name="act" label="What" value={act!} placeholder="CreateCommand" />
        <Text name="target" label="Of what" value={target!} placeholder="node/web1" />
        <Check name="refused" label="only refusals" value={refused} />
      </Filter>
      <Loaded resource={entries}>
        {(data) => (
          <div class="sheet">
            <Table
              caption="Audit entries"
              rows={data.entries}
              rowKey={(entry) => entry.sequence}
              empty={
                data.nextPageToken
                  ? 'Nothing on this page; go on with the next one.'
                  : 'There is no such entry.'
              }
              columns={[
                {
                  head: 'No.',
                  number: true,
                  minor: true,
                  cell: (entry) => <span title={entry.hash}>{entry.sequence}</span>,
                },
                { head: 'When', cell: (entry) => <When at={entry.time} /> },
                {
                  head: 'Who',
                  cell: (entry) => (
                    <>
                      {entry.actor} <small>{entry.source}</small>
                    </>
                  ),
                },
                {
                  head: 'What',
                  cell: (entry) => <span title={entry.act}>{entry.act.replace(/^hostq\.v1\./, '')}</span>,
                },
                { head: 'Of what', wide: 'half', cell: (entry) => entry.target },
                { head: 'Outcome', wide: 'half', cell: (entry) => <Outcome entry={entry} /> },
              ]}
            />
            <Pager token={page} next={data.nextPageToken} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

const Lead = ({ head }: { head?: AuditHead }) => (
  <>
    Who did what, and who was refused, as a chain of hashes.
    {head?.head && (
      <>
        {' '}
        It ends with entry {head.head.sequence},{' '}
        <code title={head.head.hash}>{head.head.hash.slice(0, 16)}…</code>
      </>
    )}
  </>
);

function Outcome({ entry }: { entry: AuditEntry }) {
  const refused = isReason(entry.outcome);
  return (
    <>
      {refused ? (
        <>
          <Badge tone="bad" word="refused" /> <ReasonCode code={entry.outcome} /> {entry.message}
          {Number(entry.count) > 1 && ` (${entry.count} times)`}
        </>
      ) : (
        <Badge tone="good" word="done" />
      )}
      {(entry.before || entry.after) && (
        <details class="change">
          <summary>what was changed</summary>
          {entry.before && <pre title="as it was">{entry.before}</pre>}
          {entry.after && <pre title="as it is">{entry.after}</pre>}
        </details>
      )}
    </>
  );
}
