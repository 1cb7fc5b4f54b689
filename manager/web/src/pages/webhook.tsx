import { get, segment, post, remove, withQuery } from '../api';
import { Act } from '../parts/act';
import { Badge } from '../parts/badge';
import { Facts } from '../parts/facts';
import { Loaded, Page, Section } from '../parts/page';
import { Table } from '../parts/table';
import { Age, Ago, When } from '../parts/time';
import { toProblem, useResource } from '../resource';
import { go, link } from '../route';
import type { Deliveries, Delivery, Replayed, Webhook, WebhookSecret } from '../types';
import { deliveryTones, plural, webhookTones } from '../words';
import { useState } from 'preact/hooks';
import { Secret } from './webhooks';

export function WebhookPage({ name }: { name: string }) {
  const path = `/v1/webhooks/${segment(name)}`;
  const webhook = useResource<Webhook>(path);
  const deliveries = useResource<Deliveries>(withQuery(`${path}/deliveries`, { pageSize: 100 }));
  function refresh() {
    webhook.refresh();
    deliveries.refresh();
  }
  return (
    <Page
      title={`Webhook ${name}`}
      heading={
        <>
          {name} {webhook.data && <Badge tone={webhookTones[webhook.data.state]} word={webhook.data.state} />}
        </>
      }
      lead={webhook.data?.url}
      actions={webhook.data && <Actions webhook={webhook.data} done={refresh} />}
    >
      <Loaded resource={webhook}>
        {(data) => (
          <div class="columns">
            <Section title="Deliveries" aside={`${data.pending} pending, ${data.parked} parked`}>
              <Loaded resource={deliveries}>
                {(list) => <DeliveryTable deliveries={list.deliveries} done={refresh} />}
              </Loaded>
            </Section>
            <Settings webhook={data} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function Settings({ webhook }: { webhook: Webhook }) {
  return (
    <Section title="Settings" class="aside">
      <Facts
        facts={[
          ['events', webhook.events.join(', ')],
          webhook.accounts.length > 0 && ['accounts', webhook.accounts.join(', ')],
          webhook.kinds.length > 0 && ['kinds', webhook.kinds.join(', ')],
          [
            'created',
            <>
              <When at={webhook.createTime} /> by {webhook.createdBy}
            </>,
          ],
          webhook.lastAnswer && [
            'last answer',
            <>
              {webhook.lastAnswer} <Ago at={webhook.lastAnswerTime} />
            </>,
          ],
          webhook.failingTime && [
            'failing',
            <>
              since <Age at={webhook.failingTime} />
            </>,
          ],
          webhook.pauseTime && [
            'paused',
            <>
              by {webhook.pausedBy} <Ago at={webhook.pauseTime} />: {webhook.pauseNote}
            </>,
          ],
          webhook.full && [
            'full',
            'as many deliveries wait as may; what happens is taken up when some are gone',
          ],
        ]}
      />
    </Section>
  );
}

function DeliveryTable({ deliveries, done }: { deliveries: Delivery[]; done: () => void }) {
  return (
    <Table
      caption="Deliveries"
      rows={deliveries}
      rowKey={(delivery) => delivery.id}
      empty="Nothing was to be delivered yet."
      columns={[
        {
          head: 'State',
          cell: (delivery) => <Badge tone={deliveryTones[delivery.state]} word={delivery.state} />,
        },
        { head: 'Event', cell: (delivery) => delivery.type },
        { head: 'When', number: true, cell: (delivery) => <Ago at={delivery.createTime} /> },
        { head: 'Tries', number: true, cell: (delivery) => delivery.attempts },
        {
          head: 'Answer',
          wide: 'all',
          cell: (delivery) => (
            <>
              {delivery.answer}{' '}
              {delivery.nextAttemptTime && (
                <small>
                  next try <Age at={delivery.nextAttemptTime} />
                </small>
              )}
              <Body id={delivery.id} />
            </>
          ),
        },
        { head: 'Actions', cell: (delivery) => <Replay delivery={delivery} done={done} /> },
      ]}
    />
  );
}

// What was sent, fetched when somebody wants to see it.
function Body({ id }: { id: string }) {
  const [text, setText] = useState('…');
  async function load(event: ToggleEvent) {
    if (!(event.currentTarget as HTMLDetailsElement).open) return;
    try {
      const { body } = await get<Delivery>(`/v1/deliveries/${segment(id)}`);
      setText(JSON.stringify(JSON.parse(body), null, 2));
    } catch (error) {
      setText(toProblem(error).detail);
    }
  }
  return (
    <details class="change" onToggle={(event) => void load(event as unknown as ToggleEvent)}>
      <summary>what is sent</summary>
      <pre>{text}</pre>
    </details>
  );
}

const Replay = ({ delivery, done }: { delivery: Delivery; done: () => void }) => (
  <Act
    label="Replay"
    title={`Send ${delivery.type} again`}
    run={async () => {
      await post<Replayed>('/v1/deliveries:replay', { id: delivery.id });
      done();
    }}
  >
    <p>
      The same is sent again, under the same delivery id, so that a receiver that has it can tell. It was
      created <Ago at={delivery.createTime} />.
    </p>
  </Act>
);

function Actions({ webhook, done }: { webhook: Webhook; done: () => void }) {
  const path = `/v1/webhooks/${segment(webhook.name)}`;
  const { name } = webhook;
  return (
    <>
      <Act
        label="Test"
        title={`Send a test to ${name}`}
        run={async () => {
          await post(`${path}:test`);
          done();
        }}
      >
        <p>
          A delivery of the type “test” is sent once, also while the webhook is paused. Its answer is in the
          list.
        </p>
      </Act>
      {webhook.parked > 0 && (
        <Act
          label="Replay parked"
          title={`Send again what ${name} has not taken`}
          run={async () => {
            const { replayed } = await post<Replayed>('/v1/deliveries:replay', { webhook: name });
            done();
            return <p>{plural(replayed, 'delivery', 'deliveries')} are sent again.</p>;
          }}
        >
          <p>
            {plural(webhook.parked, 'delivery', 'deliveries')} that were given up are sent again, under their
            ids.
          </p>
        </Act>
      )}
      {webhook.state === 'PAUSED' ? (
        <Act
          label="Resume"
          title={`Resume ${name}`}
          run={async ({ skip }) => {
            await post(`${path}:resume`, { skip: skip === 'on' });
            done();
          }}
        >
          <p>What has happened meanwhile is sent.</p>
          <label class="check">
            <input type="checkbox" name="skip" /> leave that out; go on with what happens from now on
          </label>
        </Act>
      ) : (
        <Act
          label="Pause"
          title={`Pause ${name}`}
          note="optional"
          run={async ({ note = '' }) => {
            await post(`${path}:pause`, { note });
            done();
          }}
        >
          <p>Nothing is sent until it is resumed. What happens meanwhile is not forgotten.</p>
        </Act>
      )}
      <Act
        label="Rotate"
        title={`A new secret for ${name}`}
        run={async () => {
          const made = await post<WebhookSecret>(`${path}:rotate`);
          done();
          return <Secret made={made} />;
        }}
      >
        <p>For 24 hours deliveries are signed with the secret of before, too.</p>
      </Act>
      <Act
        label="Delete"
        title={`Delete the webhook ${name}`}
        danger
        run={async () => {
          await remove(path);
          go(link('webhooks'));
        }}
      >
        <p>
          Its deliveries are gone with it:{' '}
          {plural(webhook.pending + webhook.parked, 'delivery', 'deliveries')} that were not taken{' '}
          {webhook.pending + webhook.parked === 1 ? 'is' : 'are'} never sent.
        </p>
      </Act>
    </>
  );
}
