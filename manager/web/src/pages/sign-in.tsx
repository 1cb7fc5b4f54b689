import { useEffect, useState } from 'preact/hooks';
import { signIn, type Problem } from '../api';
import { ProblemBox } from '../parts/problem';
import { toProblem } from '../resource';
import { sessionEnded } from '../session';
import { useStore } from '../store';

export function SignIn() {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const ended = useStore(sessionEnded);
  useEffect(() => {
    document.title = 'Sign in · hostq';
  }, []);

  async function run(key?: string) {
    setBusy(true);
    setProblem(undefined);
    try {
      await signIn(key);
    } catch (error) {
      setProblem(toProblem(error));
      setBusy(false);
    }
  }

  return (
    <main class="sign-in">
      <h1>
        <img src="/icon.svg" alt="" width="32" height="32" /> hostq
      </h1>
      {ended && !problem && <p role="status">Your session has ended. Sign in again to go on.</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const field = new FormData(event.currentTarget).get('key');
          void run(String(field).trim());
        }}
      >
        <label>
          API key
          <input
            name="key"
            type="password"
            required
            autoFocus
            autoComplete="current-password"
            spellcheck={false}
            placeholder="hostq_…"
          />
        </label>
        <button type="submit" class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
      {problem && <ProblemBox problem={problem} />}
      <p class="quiet">
        An administrator whose browser has the certificate needs no key:{' '}
        <button type="button" class="plain" disabled={busy} onClick={() => void run()}>
          sign in with the certificate
        </button>
      </p>
    </main>
  );
}
