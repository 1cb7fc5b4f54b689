import { post } from '../api';
import { Act } from '../parts/act';
import { Badge } from '../parts/badge';
import { Copyable } from '../parts/copy';
import { Loaded, Page } from '../parts/page';
import { Table } from '../parts/table';
import { Ago } from '../parts/time';
import { useResource } from '../resource';
import { link } from '../route';
import type { Webhooks as Data, WebhookSecret } from '../types';
import { webhookTones } from '../words';

const words = (text = '') => text.split(/[\s,]+/).filter(Boolean);

export function Webhooks() {
  const webhooks = useResource<Data>('/v1/webhooks');
  return (
    <Page
      title="Webhooks"
      lead="Receivers that the manager tells, over HTTP, what has happened."
      actions={<CreateWebhook done={webhooks.refresh} />}
    >
      <Loaded resource={webhooks}>
        {(data) => (
          <div class="sheet">
            <Table
              caption="Webhooks"
              rows={data.webhooks}
              rowKey={(webhook) => webhook.name}
              empty="There is no webhook yet."
              columns={[
                {
                  head: 'Webhook',
                  cell: (webhook) => <a href={link('webhooks', webhook.name)}>{webhook.name}</a>,
                },
                {
                  head: 'State',
                  cell: (webhook) => <Badge tone={webhookTones[webhook.state]} word={webhook.state} />,
                },
                { head: 'Sends to', wide: 'half', cell: (webhook) => webhook.url },
                { head: 'Events', wide: 'half', cell: (webhook) => webhook.events.join(', ') },
                { head: 'Pending', number: true, cell: (webhook) => webhook.pending },
                {
                  head: 'Parked',
                  number: true,
                  cell: (webhook) => (webhook.parked > 0 ? <strong class="bad">{webhook.parked}</strong> : 0),
                },
                {
                  head: 'Last answer',
                  cell: (webhook) => (
                    <>
                      {webhook.lastAnswer}{' '}
                      {webhook.lastAnswerTime && (
                        <small>
                          <Ago at={webhook.lastAnswerTime} />
                        </small>
                      )}
                    </>
                  ),
                },
              ]}
            />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function CreateWebhook({ done }: { done: () => void }) {
  return (
    <Act
      label="Create webhook"
      title="Create a webhook"
      run={async ({ name = '', url = '', events, accounts }) => {
        const made = await post<WebhookSecret>('/v1/webhooks', {
          name,
          url,
          events: words(events),
          accounts: words(accounts),
        });
        done();
        return <Secret made={made} />;
      }}
    >
      <label>
        Name
        <input name="name" required maxLength={63} placeholder="billing" autoComplete="off" />
      </label>
      <label>
        URL
        <input
          name="url"
          type="url"
          required
          maxLength={2000}
          placeholder="https://billing.example.com/hostq"
        />
      </label>
      <label>
        Events
        <input name="events" required defaultValue="command.finished" spellcheck={false} />
        <small>command.finished, task.parked, finding.*, alarm.*, node.* …</small>
      </label>
      <label>
        Only accounts <small>(optional)</small>
        <input name="accounts" placeholder="*.example.com" spellcheck={false} />
      </label>
    </Act>
  );
}

export const Secret = ({ made }: { made: WebhookSecret }) => (
  <>
    <p>What is sent is signed with this secret. It is shown once:</p>
    <p class="secret">
      <Copyable text={made.secret} />
    </p>
  </>
);
