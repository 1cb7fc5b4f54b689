import type { Problem } from '../api';
import { meaningOf } from '../words';
import { ReasonCode } from './badge';
import { Remedy } from './remedy';

// What the manager refused, why, and what to do.
export function ProblemBox({ problem, what }: { problem: Problem; what?: string }) {
  const meaning = meaningOf(problem.reason);
  const said = problem.detail.replace(`${problem.reason}: `, '');
  return (
    <div class="problem" role="alert">
      <p>
        {what && <strong>{what}: </strong>}
        {said}
      </p>
      {problem.reason && (
        <p class="quiet">
          <ReasonCode code={problem.reason} /> {meaning}
        </p>
      )}
      <Remedy text={problem.remedy} />
      {problem.requestId && (
        <p class="quiet">
          request <code>{problem.requestId}</code>
        </p>
      )}
    </div>
  );
}
