// Time is the manager's: ages are right also where the browser's clock is not.
import { makeStore } from './store';

let offsetMs = 0;

export function noteServerTime(date: string | null) {
  const time = date ? Date.parse(date) : NaN;
  if (Number.isNaN(time)) return;
  // The header counts whole seconds, so nothing below that is known.
  const difference = time - Date.now();
  offsetMs = Math.abs(difference) < 2000 ? 0 : difference;
}

export const serverNow = () => Date.now() + offsetMs;

// Changes every second while the page is seen.
export const now = makeStore(serverNow());
setInterval(() => {
  if (!document.hidden) now.set(serverNow());
}, 1000);

// As in the command line: "12s", "3m02s", "2h05m", "3d4h".
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)}h${two(Math.floor(seconds / 60) % 60)}m`;
  return `${Math.floor(seconds / 86400)}d${Math.floor(seconds / 3600) % 24}h`;
}

// How long a step or an attempt took: "340 µs", "12 ms", "1.4 s", then as an age.
export function formatDuration(us: number): string {
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${Math.round(us / 1000)} ms`;
  if (us < 60e6) return `${(us / 1e6).toFixed(1)} s`;
  return formatAge(us / 1000);
}

const absolute = new Intl.DateTimeFormat('sv-SE', {
  dateStyle: 'short',
  timeStyle: 'medium',
});

// "2026-11-23 06:27:06", in the browser's time zone.
export const formatTime = (time: string) => absolute.format(new Date(time));
