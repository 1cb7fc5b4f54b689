import { CheckTable } from '../parts/check-table';
import { Loaded, Page } from '../parts/page';
import { useResource } from '../resource';
import type { Diagnosis } from '../types';

// The manager's own health, looked at when the page is opened and every now and then.
export function Manager() {
  const diagnosis = useResource<Diagnosis>('/v1/diagnosis', () => false);
  return (
    <Page title="Manager" lead="What must be right for the manager to do its work: what hostq doctor tells.">
      <Loaded resource={diagnosis}>
        {(data) => (
          <div class="sheet">
            <CheckTable checks={data.checks} caption="Checks of the manager" empty="Nothing was looked at." />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
