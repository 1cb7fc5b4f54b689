import { post } from '../api';
import { Act } from '../parts/act';
import { ReasonCode } from '../parts/badge';
import { Facts } from '../parts/facts';
import { Loaded, Page } from '../parts/page';
import { Remedy } from '../parts/remedy';
import { Ago } from '../parts/time';
import { useResource } from '../resource';
import { link } from '../route';
import type { Alarm, Alarms as Data } from '../types';
import { meaningOf, plural } from '../words';

export function Alarms() {
  const alarms = useResource<Data>('/v1/alarms', (event) => event.type.startsWith('ALARM_'));
  return (
    <Page
      title="Alarms"
      lead="What an administrator should look into and then clear: somebody uses a token, a key or a certificate that is not theirs. Nothing waits for it."
    >
      <Loaded resource={alarms}>
        {(data) => (
          <>
            {data.alarms.length === 0 && <p class="calm">There is no alarm.</p>}
            {data.alarms.map((alarm) => (
              <AlarmView alarm={alarm} done={alarms.refresh} key={alarm.subject} />
            ))}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function AlarmView({ alarm, done }: { alarm: Alarm; done: () => void }) {
  return (
    <section class="alarm">
      <h2>
        <ReasonCode code={alarm.reason} /> {alarm.subject}
      </h2>
      <p class="quiet">{meaningOf(alarm.reason)}</p>
      <p>{alarm.message}</p>
      <Facts
        facts={[
          ['happened', plural(Number(alarm.count), 'time')],
          ['last', <Ago at={alarm.lastTime} />],
          ['first', <Ago at={alarm.firstTime} />],
          alarm.lastSource && ['from', alarm.lastSource],
          alarm.node && ['node', <a href={link('nodes', alarm.node)}>{alarm.node}</a>],
        ]}
      />
      <Remedy text={alarm.remedy} />
      <div class="actions">
        <Act
          label="Clear"
          title={`Clear the alarm about ${alarm.subject}`}
          run={async () => {
            await post('/v1/alarms:clear', { subject: alarm.subject });
            done();
          }}
        >
          <p>You have looked into it. If it happens again, it is raised again.</p>
        </Act>
      </div>
    </section>
  );
}
