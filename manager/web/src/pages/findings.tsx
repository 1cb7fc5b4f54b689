import { withQuery } from '../api';
import { FindingView } from '../parts/finding';
import { Check, Filter, Text } from '../parts/filter';
import { Loaded, Page } from '../parts/page';
import { useResource } from '../resource';
import { useRoute } from '../route';
import type { Findings as Data } from '../types';
import { plural } from '../words';

export function Findings() {
  const { query } = useRoute();
  const node = query.get('node') ?? '';
  const reason = query.get('reason') ?? '';
  const all = query.get('all') === 'true';
  const path = withQuery('/v1/findings', { node, includeAll: all });
  const findings = useResource<Data>(path);
  // A task that failed waits because it is parked: what people ask for is the cause.
  const shown = findings.data?.findings.filter(
    (one) => !reason || one.reason === reason || one.cause === reason,
  );
  return (
    <Page
      title="Findings"
      lead="Why each task, node or the manager itself does not move on, who must act, and what to do. The causes come first, then what waits for them."
    >
      <Filter>
        <Text name="reason" label="Reason" value={reason} placeholder="NODE_OFFLINE" />
        <Text name="node" label="Node" value={node} />
        <Check name="all" label="also what moves by itself" value={all} />
      </Filter>
      <Loaded resource={findings}>
        {(data) => (
          <>
            {shown?.length === 0 && <p class="calm">Nothing is stuck here. Nobody has to do anything.</p>}
            <ol class="causes">
              {shown?.slice(0, 200).map((finding) => (
                <FindingView finding={finding} key={`${finding.taskId} ${finding.node} ${finding.reason}`} />
              ))}
            </ol>
            {shown && shown.length > 200 && <p class="quiet">and {shown.length - 200} more</p>}
            {data.leftOut > 0 && (
              <p class="quiet">
                {plural(data.leftOut, 'finding')} more did not fit: ask for those of one node.
              </p>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}
