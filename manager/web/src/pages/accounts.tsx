import { withQuery } from '../api';
import { Badge } from '../parts/badge';
import { Loaded, Page } from '../parts/page';
import { Pager } from '../parts/pager';
import { Table } from '../parts/table';
import { Ago } from '../parts/time';
import { useResource } from '../resource';
import { go, link, useRoute } from '../route';
import type { Accounts as Data } from '../types';
import { accountTones, sizeWord } from '../words';

export function Accounts() {
  const { query } = useRoute();
  const page = query.get('page') ?? '';
  const accounts = useResource<Data>(
    withQuery('/v1/accounts', { pageSize: 50, pageToken: page }),
    (event) => event.type === 'COMMAND_CREATED' || event.type === 'COMMAND_FINISHED',
  );
  return (
    <Page title="Accounts" lead="As they should be on every node.">
      <form
        class="filter"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const domain = new FormData(event.currentTarget).get('domain');
          go(link('accounts', String(domain).trim().toLowerCase()));
        }}
      >
        <label>
          Domain
          <input
            name="domain"
            type="search"
            required
            placeholder="example.com"
            autoComplete="off"
            spellcheck={false}
          />
        </label>
        <button type="submit">Is it right everywhere?</button>
      </form>
      <Loaded resource={accounts}>
        {(data) => (
          <div class="sheet">
            <Table
              caption="Accounts"
              rows={data.accounts}
              rowKey={(account) => account.domain}
              empty="There is no account yet."
              columns={[
                {
                  head: 'Domain',
                  wide: 'half',
                  cell: (account) => <a href={link('accounts', account.domain)}>{account.domain}</a>,
                },
                {
                  head: 'State',
                  cell: (account) => <Badge tone={accountTones[account.state]} word={account.state} />,
                },
                { head: 'User', minor: true, cell: (account) => account.user },
                { head: 'Uid', number: true, minor: true, cell: (account) => account.uid },
                { head: 'Quota', number: true, cell: (account) => quotaOf(account.quotaBytes) },
                {
                  head: 'Addresses',
                  wide: 'half',
                  minor: true,
                  cell: (account) => account.addresses.join(', '),
                },
                {
                  head: 'Created',
                  number: true,
                  minor: true,
                  cell: (account) => <Ago at={account.createTime} />,
                },
              ]}
            />
            <Pager token={page} next={data.nextPageToken} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

export const quotaOf = (bytes: string) => (bytes === '0' ? 'unlimited' : sizeWord(bytes));
