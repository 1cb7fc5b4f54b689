import { formatDuration } from '../clock';
import { link } from '../route';
import type { Attempt, Step, Task } from '../types';
import { isReason, meaningOf, plural, taskState, type Tone } from '../words';
import { Badge, ReasonCode, TaskBadge } from './badge';
import { Evidence } from './facts';
import { Section } from './page';
import { Table } from './table';
import { Age, When } from './time';

// The tasks of one stage, each with its attempts; those in trouble are open.
export function StageView({ number, tasks }: { number?: number; tasks: Task[] }) {
  const done = tasks.filter((task) => task.phase === 'FINISHED').length;
  return (
    <Section title={number ? `Stage ${number}` : 'Tasks'} aside={`${done} of ${tasks.length} finished`}>
      <ul class="stage">
        {tasks.map((task) => (
          <TaskView task={task} open={tasks.length === 1} key={task.id} />
        ))}
      </ul>
    </Section>
  );
}

function TaskView({ task, open }: { task: Task; open: boolean }) {
  const { tone } = taskState(task);
  return (
    <li>
      <details class={`task ${tone}`} open={open || tone === 'bad'}>
        <summary>
          <strong>{task.node}</strong>
          <TaskBadge task={task} />
          <span class="what">
            {task.cancelRequested && task.phase !== 'FINISHED' && 'to be cancelled; '}
            {task.currentStep && task.phase === 'RUNNING'
              ? task.currentStep
              : isReason(task.reason) && task.reason}
          </span>
          <span class="age">
            {task.attempt > 1 && <small>attempt {task.attempt} </small>}
            <Age at={task.phaseTime} />
          </span>
        </summary>
        <div class="body">
          {task.message && <p class={isReason(task.reason) ? 'error' : undefined}>{task.message}</p>}
          {task.nextAttemptTime && (
            <p>
              Next attempt <Age at={task.nextAttemptTime} />
            </p>
          )}
          {task.attempts.length === 0 && <p class="empty">It was not tried yet.</p>}
          {[...task.attempts].reverse().map((attempt, index) => (
            <AttemptView attempt={attempt} task={task} last={index === 0} key={attempt.number} />
          ))}
          <p class="quiet">
            <a href={link('nodes', task.node)}>Node {task.node}</a>
          </p>
        </div>
      </details>
    </li>
  );
}

function AttemptView({ attempt, task, last }: { attempt: Attempt; task: Task; last: boolean }) {
  const steps = attempt.steps;
  const failed = isReason(attempt.reason);
  const message = attempt.message || meaningOf(attempt.reason);
  const length =
    attempt.finishTime && (Date.parse(attempt.finishTime) - Date.parse(attempt.startTime)) * 1000;
  return (
    <details class="attempt" open={last}>
      <summary>
        Attempt {attempt.number}{' '}
        {failed ? (
          <ReasonCode code={attempt.reason} />
        ) : (
          <Badge
            tone={attempt.finishTime ? 'good' : 'busy'}
            word={attempt.finishTime ? 'succeeded' : 'under way'}
          />
        )}{' '}
        <small>
          <When at={attempt.startTime} />
          {length !== '' && length !== undefined && `, took ${formatDuration(Math.max(0, length))}`}
        </small>
      </summary>
      {failed && message !== task.message && <p class="error">{message}</p>}
      {steps.length > 0 && <Steps steps={steps} />}
      {steps.length === 0 && attempt.finishTime && <p class="empty">No step was begun.</p>}
    </details>
  );
}

function resultOf(step: Step): { tone: Tone; word: string } {
  if (step.skipped) return { tone: 'off', word: 'does not apply' };
  if (isReason(step.reason))
    return { tone: step.warning ? 'wait' : 'bad', word: step.warning ? 'warning' : 'failed' };
  return step.changed ? { tone: 'good', word: 'changed' } : { tone: 'good', word: 'right already' };
}

function Steps({ steps }: { steps: Step[] }) {
  const longest = Math.max(1, ...steps.map((step) => Number(step.durationUs)));
  return (
    <Table
      caption={plural(steps.length, 'step')}
      rows={steps.map((step, index) => ({ step, index }))}
      rowKey={({ index }) => String(index)}
      empty=""
      columns={[
        { head: 'Step', cell: ({ step }) => step.name },
        { head: 'Result', cell: ({ step }) => <Badge {...resultOf(step)} /> },
        {
          head: 'What was seen',
          wide: 'all',
          cell: ({ step }) => (
            <>
              {isReason(step.reason) && <ReasonCode code={step.reason} />} {step.message}
              <Evidence evidence={step.evidence} />
            </>
          ),
        },
        {
          head: 'Took',
          number: true,
          cell: ({ step }) => (
            <span class="progress">
              <meter min={0} max={longest} value={Number(step.durationUs)} aria-hidden="true" />
              {formatDuration(Number(step.durationUs))}
            </span>
          ),
        },
      ]}
    />
  );
}
