import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, Problem } from './api';
import { onEvent } from './live';
import type { Event } from './types';

// Events come in bursts; and some things change without one (a node that is late).
const settleMs = 150;
const shortestPauseMs = 1000;
const pollMs = 15_000;

export interface Resource<T> {
  data?: T;
  problem?: Problem;
  refresh(): void;
}

export const toProblem = (error: unknown) =>
  error instanceof Problem ? error : new Problem(0, '', String(error));

// What `load` gives for `key`, and again whenever an event that `concerns` it has come. The last data
// stay while newer ones are fetched, and where they cannot be.
export function useLoaded<T>(
  key: string,
  load: () => Promise<T>,
  concerns: (event: Event) => boolean = () => true,
): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; problem?: Problem }>({ key });
  const refreshRef = useRef(() => {});
  const loadRef = useRef(load);
  const concernsRef = useRef(concerns);
  loadRef.current = load;
  concernsRef.current = concerns;

  useEffect(() => {
    let ended = false;
    let running = false;
    let wanted = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let due = Infinity;
    let pause = shortestPauseMs;
    let lastStart = -Infinity;

    async function run() {
      due = Infinity;
      if (running) {
        wanted = true;
        return;
      }
      running = true;
      wanted = false;
      lastStart = performance.now();
      try {
        const data = await loadRef.current();
        if (!ended) setState({ key, data });
      } catch (error) {
        if (!ended)
          setState((old) => ({
            key,
            data: old.key === key ? old.data : undefined,
            problem: toProblem(error),
          }));
      }
      running = false;
      // A slow answer is not asked for more often than it can be given.
      pause = Math.max(shortestPauseMs, 3 * (performance.now() - lastStart));
      schedule(wanted ? settleMs : pollMs);
    }
    function schedule(delay: number) {
      if (ended || document.hidden) return;
      const time = Math.max(performance.now() + delay, lastStart + pause);
      if (time >= due) return;
      clearTimeout(timer);
      due = time;
      timer = setTimeout(run, time - performance.now());
    }
    const onVisible = () => schedule(0);

    refreshRef.current = run;
    void run();
    const forget = onEvent((event) => {
      if (!event || concernsRef.current(event)) {
        if (running) wanted = true;
        else schedule(settleMs);
      }
    });
    document.addEventListener('visibilitychange', onVisible);
    return () => {
      ended = true;
      clearTimeout(timer);
      forget();
      document.removeEventListener('visibilitychange', onVisible);
    };
  }, [key]);

  const refresh = useCallback(() => refreshRef.current(), []);
  return state.key === key ? { ...state, refresh } : { refresh };
}

export function useResource<T>(path: string, concerns?: (event: Event) => boolean): Resource<T> {
  return useLoaded(path, () => get<T>(path), concerns);
}
