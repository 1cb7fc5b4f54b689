import { segment, post, withQuery } from '../api';
import { Act } from '../parts/act';
import { Badge } from '../parts/badge';
import { Copyable } from '../parts/copy';
import { Check, Filter } from '../parts/filter';
import { Loaded, Page } from '../parts/page';
import { Table } from '../parts/table';
import { Age, Ago } from '../parts/time';
import { serverNow } from '../clock';
import { useResource } from '../resource';
import { useRoute } from '../route';
import type { Key, Keys as Data, KeyText } from '../types';
import type { Tone } from '../words';

const lines = (text = '') =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
const day = 86400;

export function Keys() {
  const { query } = useRoute();
  const revoked = query.get('revoked') === 'true';
  const keys = useResource<Data>(withQuery('/v1/keys', { includeRevoked: revoked }), () => false);
  return (
    <Page
      title="Keys"
      lead="What programs show to use the API. Each may what its scopes say, and nothing else."
      actions={<CreateKey done={keys.refresh} />}
    >
      <Filter>
        <Check name="revoked" label="also revoked ones" value={revoked} />
      </Filter>
      <Loaded resource={keys}>
        {(data) => (
          <div class="sheet">
            <Table
              caption="API keys"
              rows={data.keys}
              rowKey={(key) => key.id}
              empty="There is no key yet."
              columns={[
                { head: 'Key', cell: (key) => <strong>{key.name}</strong> },
                { head: 'State', cell: (key) => <Badge {...stateOf(key)} /> },
                {
                  head: 'Scopes',
                  wide: 'all',
                  cell: (key) => (
                    <>
                      {key.scopes.map((scope) => (
                        <code class="scope" key={scope}>
                          {scope}
                        </code>
                      ))}
                      {key.ownAccounts && <small> only accounts that it created</small>}
                    </>
                  ),
                },
                { head: 'From', minor: true, cell: (key) => key.sources.join(', ') || 'everywhere' },
                { head: 'Last used', number: true, minor: true, cell: (key) => <LastUse apiKey={key} /> },
                { head: 'Expires', number: true, cell: (key) => <Age at={key.expireTime} /> },
                {
                  head: 'Actions',
                  cell: (key) => !key.revokeTime && <Actions apiKey={key} done={keys.refresh} />,
                },
              ]}
            />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function stateOf(key: Key): { tone: Tone; word: string; title?: string } {
  if (key.revokeTime)
    return { tone: 'off', word: 'revoked', title: `by ${key.revokedBy}: ${key.revokeNote}` };
  if (Date.parse(key.expireTime) < serverNow()) return { tone: 'bad', word: 'expired' };
  if (key.secrets.length > 1)
    return { tone: 'wait', word: 'two secrets', title: 'it was rotated; the older one still works' };
  return { tone: 'good', word: 'in use' };
}

const LastUse = ({ apiKey }: { apiKey: Key }) =>
  apiKey.lastUseTime ? (
    <span title={`from ${apiKey.lastUseSource}`}>
      <Ago at={apiKey.lastUseTime} />
    </span>
  ) : (
    <span class="none">never</span>
  );

const Shown = ({ made }: { made: KeyText }) => (
  <>
    <p>This is the key. It is shown once, and is not kept by the manager:</p>
    <p class="secret">
      <Copyable text={made.text} />
    </p>
  </>
);

function CreateKey({ done }: { done: () => void }) {
  return (
    <Act
      label="Create key"
      title="Create an API key"
      run={async ({ name = '', scopes, sources, days = '365', own }) => {
        const made = await post<KeyText>('/v1/keys', {
          name,
          scopes: lines(scopes),
          sources: lines(sources),
          expiresIn: `${Number(days) * day}s`,
          ownAccounts: own === 'on',
        });
        done();
        return <Shown made={made} />;
      }}
    >
      <label>
        Name
        <input name="name" required maxLength={63} placeholder="billing" autoComplete="off" />
      </label>
      <label>
        Scopes
        <textarea
          name="scopes"
          required
          rows={3}
          spellcheck={false}
          placeholder={'read\nsubmit:create_account'}
        />
        <small>One a line: verb[:kinds[:nodes[:accounts]]]. Verbs: read, submit, operate, act, admin.</small>
      </label>
      <label>
        Addresses it may be used from <small>(optional)</small>
        <textarea name="sources" rows={2} spellcheck={false} placeholder="10.0.0.0/24" />
      </label>
      <label>
        Expires after so many days
        <input name="days" type="number" min={1} max={3650} defaultValue="365" required />
      </label>
      <label class="check">
        <input type="checkbox" name="own" /> only accounts that it created
      </label>
    </Act>
  );
}

function Actions({ apiKey, done }: { apiKey: Key; done: () => void }) {
  const path = `/v1/keys/${segment(apiKey.name)}`;
  return (
    <span class="actions">
      <Act
        label="Rotate"
        title={`Rotate the key ${apiKey.name}`}
        run={async ({ hours = '24' }) => {
          const made = await post<KeyText>(`${path}:rotate`, { keep: `${Number(hours) * 3600}s` });
          done();
          return <Shown made={made} />;
        }}
      >
        <p>
          It gets a second secret. The one it has goes on for some time, so that the program can be changed.
        </p>
        <label>
          The secret of before ends after so many hours
          <input name="hours" type="number" min={0} max={720} defaultValue="24" required />
          <small>0: at once, if it has leaked.</small>
        </label>
      </Act>
      <Act
        label="Revoke"
        title={`Revoke the key ${apiKey.name}`}
        danger
        note="optional"
        run={async ({ note = '' }) => {
          await post(`${path}:revoke`, { note });
          done();
        }}
      >
        <p>
          The program that uses it is refused from now on, and its open streams end. This cannot be undone. It
          was last used <LastUse apiKey={apiKey} />.
        </p>
      </Act>
    </span>
  );
}
