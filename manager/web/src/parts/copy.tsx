import { useEffect, useState } from 'preact/hooks';

// Text to take along: a command, a token.
export function Copyable({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      // Not allowed: the text can still be selected.
    }
  }
  return (
    <span class="copyable">
      <code>{text}</code>
      <button type="button" class="copy" aria-label={`Copy: ${text}`} onClick={copy}>
        {copied ? 'copied' : 'copy'}
      </button>
    </span>
  );
}
