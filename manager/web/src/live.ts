// One stream of events for the whole page. Pages do not read state from it: an event says that
// something changed, and they ask for it again.
import { makeStore } from './store';
import { serverNow } from './clock';
import type { Event } from './types';
import { eventWords } from './words';

export interface LiveState {
  live: boolean;
  since: number; // milliseconds since 1970
}

export const liveState = makeStore<LiveState>({ live: false, since: serverNow() });

type Listener = (event: Event | null) => void;
const listeners = new Set<Listener>();

// `listener` is called with each event, and with null where some may have been missed.
export function onEvent(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = (event: Event | null) => {
  for (const listener of [...listeners]) listener(event);
};

const firstDelayMs = 1000;
const longestDelayMs = 30_000;

let source: EventSource | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
let delayMs = firstDelayMs;
let lastSequence = '';

function setLive(live: boolean) {
  if (liveState.get().live !== live) liveState.set({ live, since: serverNow() });
}

function open() {
  clearTimeout(timer);
  const resume = lastSequence ? `sinceSequence=${lastSequence}` : 'fromNow=true';
  source = new EventSource(`/v1/events?${resume}`);
  source.onopen = () => {
    delayMs = firstDelayMs;
    setLive(true);
    tell(null);
  };
  // By itself a browser tries again only what was interrupted, not what was refused.
  source.onerror = () => {
    if (liveState.get().live) tell(null); // whoever asks again is told why
    setLive(false);
    source?.close();
    timer = setTimeout(open, delayMs);
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  };
  for (const type of Object.keys(eventWords)) {
    source.addEventListener(type, (message: MessageEvent<string>) => {
      const event = JSON.parse(message.data) as Event;
      lastSequence = event.sequence;
      tell(event);
    });
  }
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = undefined;
  lastSequence = '';
}

// Browsers allow six connections to a server, for all their tabs: a hidden one does without.
const hiddenMs = 10_000;
function onVisibility() {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(close, hiddenMs);
  else if (!source) open();
}

export function startLive() {
  open();
  document.addEventListener('visibilitychange', onVisibility);
}

export function stopLive() {
  document.removeEventListener('visibilitychange', onVisibility);
  clearTimeout(hiddenTimer);
  close();
  setLive(false);
}
