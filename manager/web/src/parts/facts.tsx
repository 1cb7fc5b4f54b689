import type { ComponentChildren } from 'preact';

export type Fact = [name: string, value: ComponentChildren] | false | null | undefined | '';

// Names and values; what is false is left out.
export function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl class="facts">
      {facts
        .filter((fact): fact is [string, ComponentChildren] => Boolean(fact))
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

// What was seen, by name.
export function Evidence({ evidence }: { evidence: Record<string, string> }) {
  const entries = Object.entries(evidence).sort(([a], [b]) => a.localeCompare(b));
  if (entries.length === 0) return null;
  return (
    <dl class="evidence">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
