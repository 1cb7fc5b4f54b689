import type { ComponentChildren } from 'preact';

export interface Column<Row> {
  head: string;
  cell: (row: Row) => ComponentChildren;
  number?: boolean; // aligned to the right
  wide?: 'all' | 'half'; // takes this part of the room that is left, and wraps
  minor?: boolean; // left out on a narrow screen
}

// Where it has not the room for its columns, each row becomes a block with a line for each cell
// (style/table.css). The roles are said, because browsers forget them with a table that is laid out as
// blocks.
export function Table<Row>(props: {
  caption: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  empty: string;
  dense?: boolean; // a small one, which always has the room
}) {
  const { caption, columns, rows, rowKey, empty, dense } = props;
  if (rows.length === 0) return <p class="empty">{empty}</p>;
  const classOf = (column: Column<Row>) =>
    [column.number && 'number', column.wide && `wide ${column.wide}`, column.minor && 'minor']
      .filter(Boolean)
      .join(' ') || undefined;
  const size = dense ? 'dense' : columns.length > 6 ? 'many' : columns.length > 4 ? 'some' : 'few';
  return (
    <div class="table-room">
      <table role="table" class={size}>
        <caption class="unseen">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th role="columnheader" scope="col" class={classOf(column)} key={column.head}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr role="row" key={rowKey(row)}>
              {columns.map((column) => (
                <td role="cell" class={classOf(column)} data-head={column.head} key={column.head}>
                  <div>{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
