import { formatAge, formatTime, now } from '../clock';
import { useStore } from '../store';

// How long ago (or, of what is to come, in how long), with the time itself as its title. Nothing if
// there is no time.
export function Age({ at, suffix = '' }: { at: string | undefined; suffix?: string }) {
  const current = useStore(now);
  if (!at) return <span class="none">–</span>;
  const difference = current - Date.parse(at);
  // Less than the clocks may differ by is not the future.
  const text = difference < -1500 ? `in ${formatAge(-difference)}` : `${formatAge(difference)}${suffix}`;
  return (
    <time dateTime={at} title={formatTime(at)}>
      {text}
    </time>
  );
}

export const Ago = ({ at }: { at: string | undefined }) => <Age at={at} suffix=" ago" />;

// The time itself, with how long ago as its title.
export function When({ at }: { at: string | undefined }) {
  if (!at) return <span class="none">–</span>;
  return (
    <time dateTime={at} title={`${formatAge(now.get() - Date.parse(at))} ago`}>
      {formatTime(at)}
    </time>
  );
}
