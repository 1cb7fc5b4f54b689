import { post } from '../api';
import { useResource } from '../resource';
import type { Pause, Pauses as Data } from '../types';
import { Act } from './act';
import { Loaded } from './page';
import { Table } from './table';
import { Age } from './time';

const what = (pause: Pause) => (pause.kind ? `kind ${pause.kind}` : pause.resourceKey);

// What administrators have stopped.
export function Pauses() {
  const pauses = useResource<Data>(
    '/v1/pauses',
    (event) => event.type === 'PAUSED' || event.type === 'RESUMED',
  );
  return (
    <>
      <h3>Paused</h3>
      <Loaded resource={pauses}>
        {(data) => (
          <Table
            caption="Kinds of commands and resource keys that are paused"
            rows={data.pauses}
            rowKey={what}
            empty="Nothing is paused."
            columns={[
              { head: 'What', cell: what },
              { head: 'Why', wide: 'all', cell: (pause) => pause.note },
              { head: 'By', cell: (pause) => pause.actor },
              { head: 'Since', number: true, cell: (pause) => <Age at={pause.time} /> },
              { head: 'Actions', cell: (pause) => <Resume pause={pause} done={pauses.refresh} /> },
            ]}
          />
        )}
      </Loaded>
    </>
  );
}

function Resume({ pause, done }: { pause: Pause; done: () => void }) {
  return (
    <Act
      label="Resume"
      title={`Resume ${what(pause)}`}
      run={async () => {
        await post(
          '/v1/pauses:resume',
          pause.kind ? { kind: pause.kind } : { resourceKey: pause.resourceKey },
        );
        done();
      }}
    >
      <p>
        What waits for it is sent now, in its order. It was paused by {pause.actor}: {pause.note}
      </p>
    </Act>
  );
}
