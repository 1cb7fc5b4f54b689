import type { ManagerCheck, PreflightCheck } from '../types';
import { checkTones, isReason } from '../words';
import { Badge, ReasonCode } from './badge';
import { Evidence } from './facts';
import { Remedy } from './remedy';
import { Table } from './table';

const order = Object.keys(checkTones);

// What was looked at, the worst first, each with what was found and what to do.
export function CheckTable(props: {
  checks: (PreflightCheck | ManagerCheck)[];
  caption: string;
  empty: string;
}) {
  const { checks, caption, empty } = props;
  return (
    <Table
      caption={caption}
      rows={[...checks].sort((a, b) => order.indexOf(a.status) - order.indexOf(b.status))}
      rowKey={(check) => check.id}
      empty={empty}
      columns={[
        { head: 'Check', cell: (check) => check.id },
        { head: 'Status', cell: (check) => <Badge tone={checkTones[check.status]} word={check.status} /> },
        {
          head: 'Found',
          wide: 'all',
          cell: (check) => (
            <>
              {isReason(check.reason) && <ReasonCode code={check.reason} />} {check.message}
              {'evidence' in check && <Evidence evidence={check.evidence} />}
              {check.status !== 'OK' && check.status !== 'SKIPPED' && <Remedy text={check.remedy} />}
            </>
          ),
        },
      ]}
    />
  );
}
