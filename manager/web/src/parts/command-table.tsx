import { formatDuration } from '../clock';
import { link } from '../route';
import type { Command } from '../types';
import { CommandBadge } from './badge';
import { Table } from './table';
import { Ago } from './time';

// `of` what they all are, and what is left out for it.
export function CommandTable(props: { commands: Command[]; empty: string; of?: 'key' }) {
  const { commands, empty, of } = props;
  return (
    <Table
      caption="Commands"
      rows={commands}
      rowKey={(command) => command.id}
      empty={empty}
      columns={[
        { head: 'State', cell: (command) => <CommandBadge command={command} /> },
        {
          head: 'Command',
          cell: (command) => (
            <a class="id" href={link('commands', command.id)}>
              {command.id}
            </a>
          ),
        },
        ...(of === 'key'
          ? [{ head: 'Kind', wide: 'all' as const, cell: (command: Command) => command.kind }]
          : [
              { head: 'Kind', cell: (command: Command) => command.kind },
              {
                head: 'On',
                wide: 'all' as const,
                cell: (command: Command) => <ResourceKey name={command.resourceKey} />,
              },
            ]),
        { head: 'Tasks', number: true, cell: (command) => <Tasks command={command} /> },
        { head: 'By', minor: true, cell: (command) => command.actor },
        { head: 'Submitted', number: true, cell: (command) => <Ago at={command.createTime} /> },
        { head: 'Took', number: true, minor: true, cell: took },
      ]}
    />
  );
}

export function ResourceKey({ name }: { name: string }) {
  const [kind, ...rest] = name.split('/');
  if (kind === 'account') return <a href={link('accounts', rest.join('/'))}>{name}</a>;
  return <>{name}</>;
}

function Tasks({ command }: { command: Command }) {
  const done = command.tasks.filter((task) => task.phase === 'FINISHED').length;
  const all = command.tasks.length;
  return (
    <span class="progress">
      <progress max={Math.max(all, 1)} value={done} aria-hidden="true" />
      <span title={`${done} of ${all} tasks have finished`}>
        {done}/{all}
      </span>
    </span>
  );
}

export function took(command: Command): string {
  if (!command.finishTime) return '';
  return formatDuration(Math.max(0, Date.parse(command.finishTime) - Date.parse(command.createTime)) * 1000);
}
