import { useEffect, useRef, useState } from 'preact/hooks';
import { getLastEvents } from '../api';
import { onEvent } from '../live';
import { Check, Filter, Text } from '../parts/filter';
import { Loaded, Page } from '../parts/page';
import { Timeline } from '../parts/timeline';
import { useLoaded } from '../resource';
import { useRoute } from '../route';
import type { Event } from '../types';

const pastEvents = 200;
const keptEvents = 500;

export function Events() {
  const { query } = useRoute();
  const node = query.get('node') ?? '';
  const command = query.get('command') ?? '';
  const failures = query.get('failures') === 'true';
  const [held, setHeld] = useState(false);
  const [events, setEvents] = useState<Event[]>([]);
  const waiting = useRef<Event[]>([]);
  // Loaded once, and again where some may have been missed; what comes after is added.
  const past = useLoaded(
    'past events',
    () => getLastEvents(pastEvents),
    () => false,
  );

  useEffect(() => {
    if (past.data) setEvents((old) => merge(old, past.data!));
  }, [past.data]);
  useEffect(() => {
    let frame = 0;
    const forget = onEvent((event) => {
      if (!event) return;
      waiting.current.push(event);
      if (held || frame) return;
      frame = requestAnimationFrame(() => {
        frame = 0;
        const come = waiting.current.splice(0);
        setEvents((old) => merge(old, come));
      });
    });
    if (!held && waiting.current.length > 0) setEvents((old) => merge(old, waiting.current.splice(0)));
    return () => {
      forget();
      cancelAnimationFrame(frame);
    };
  }, [held]);

  const shown = events.filter(
    (event) =>
      event.node.includes(node) &&
      event.commandId.includes(command) &&
      (!failures || (event.reason && event.reason !== 'CODE_UNSPECIFIED')),
  );
  return (
    <Page
      title="Events"
      lead={`Everything that changes, as it happens; the newest ${keptEvents} are kept here.`}
      actions={
        <button type="button" aria-pressed={held} onClick={() => setHeld(!held)}>
          {held ? 'Go on' : 'Hold'}
        </button>
      }
    >
      <Filter>
        <Text name="node" label="Node" value={node} />
        <Text name="command" label="Command" value={command} />
        <Check name="failures" label="only with a reason" value={failures} />
      </Filter>
      <Loaded resource={past}>
        {() => (
          <div class="sheet">
            <Timeline events={shown} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}

// The newest first, each once.
function merge(old: Event[], come: Event[]): Event[] {
  const bySequence = new Map([...old, ...come].map((event) => [event.sequence, event]));
  return [...bySequence.values()]
    .sort((a, b) => Number(b.sequence) - Number(a.sequence))
    .slice(0, keptEvents);
}
