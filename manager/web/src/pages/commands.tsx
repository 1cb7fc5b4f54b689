import { withQuery } from '../api';
import { CommandTable } from '../parts/command-table';
import { Check, Filter, Text } from '../parts/filter';
import { Loaded, Page } from '../parts/page';
import { Pager } from '../parts/pager';
import { useResource } from '../resource';
import { link, useRoute } from '../route';
import type { Commands as Data } from '../types';

export function Commands() {
  const { query } = useRoute();
  const active = query.get('active') === 'true';
  const key = query.get('key') ?? '';
  const partOf = query.get('partOf') ?? '';
  const page = query.get('page') ?? '';
  const commands = useResource<Data>(
    withQuery('/v1/commands', {
      pageSize: 25,
      pageToken: page,
      activeOnly: active,
      resourceKey: key,
      partOf,
    }),
    (event) => event.commandId !== '',
  );
  return (
    <Page
      title="Commands"
      lead={
        partOf ? (
          <>
            The parts of <a href={link('commands', partOf)}>{partOf}</a>
          </>
        ) : (
          'What was asked for, the newest first.'
        )
      }
    >
      <Filter>
        {!partOf && <Text name="key" label="Resource key" value={key} placeholder="account/example.com" />}
        <Check name="active" label="only unfinished ones" value={active} />
      </Filter>
      <Loaded resource={commands}>
        {(data) => (
          <div class="sheet">
            <CommandTable commands={data.commands} empty="There is no such command." />
            <Pager token={page} next={data.nextPageToken} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
