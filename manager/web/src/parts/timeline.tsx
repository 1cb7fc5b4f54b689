import { link } from '../route';
import type { Event } from '../types';
import { eventChange, isReason, outcomeTones, phaseTones, type Tone } from '../words';
import { ReasonCode } from './badge';
import { When } from './time';

const toneOf = (event: Event): Tone => {
  if (event.type === 'NODE_DISCONNECTED' || event.type === 'ALARM_RAISED' || event.type === 'NODE_DRIFTED')
    return 'bad';
  if (event.type !== 'TASK_CHANGED') return 'off';
  return event.toPhase === 'FINISHED' ? outcomeTones[event.outcome] : phaseTones[event.toPhase];
};

// Events, in the order that they are given; `of` says what all of them are about.
export function Timeline({ events, of }: { events: Event[]; of?: 'command' | 'node' }) {
  if (events.length === 0) return <p class="empty">Nothing has happened yet.</p>;
  return (
    <ol class="timeline">
      {events.map((event) => (
        <li key={event.sequence} class={toneOf(event)}>
          <span class="when">
            <When at={event.time} />
          </span>
          <span class="what">
            {of !== 'command' && event.commandId && (
              <a href={link('commands', event.commandId)}>{event.commandId}</a>
            )}{' '}
            {of !== 'node' && event.node && <a href={link('nodes', event.node)}>{event.node}</a>}{' '}
            <strong>{eventChange(event)}</strong>{' '}
            {event.attempt > 0 && <small>attempt {event.attempt} </small>}
            {isReason(event.reason) && <ReasonCode code={event.reason} />} {event.message}
            {event.actor && event.actor !== 'manager' && event.actor !== `node/${event.node}` && (
              <small> by {event.actor}</small>
            )}
          </span>
        </li>
      ))}
    </ol>
  );
}
