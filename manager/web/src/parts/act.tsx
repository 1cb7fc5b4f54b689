import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Problem } from '../api';
import { toProblem } from '../resource';
import { ProblemBox } from './problem';

export type Fields = Record<string, string>;

interface ActProps {
  label: string; // of the button that opens the dialog, and of the one that confirms
  title: string;
  disabled?: string; // why it does not apply
  danger?: boolean;
  note?: 'required' | 'optional';
  // What follows from it; more fields of the form.
  children?: ComponentChildren;
  // With the form's fields by name. What it returns is shown when it is done; nothing: the dialog closes.
  run: (fields: Fields) => Promise<ComponentChildren | void>;
}

// A button for something that changes the cluster: first a dialog says what follows from it.
export function Act(props: ActProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        class={props.danger ? 'danger' : undefined}
        disabled={Boolean(props.disabled)}
        title={props.disabled || undefined}
        onClick={() => setOpen(true)}
      >
        {props.label} …
      </button>
      {open && <ActDialog {...props} close={() => setOpen(false)} />}
    </>
  );
}

function ActDialog(props: ActProps & { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [result, setResult] = useState<ComponentChildren>();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  async function submit(event: SubmitEvent) {
    event.preventDefault();
    if (busy) return;
    const fields: Fields = {};
    for (const [name, value] of new FormData(event.currentTarget as HTMLFormElement))
      fields[name] = String(value).trim();
    setBusy(true);
    setProblem(undefined);
    try {
      const done = await props.run(fields);
      if (done) setResult(() => done);
      else dialog.current?.close();
    } catch (error) {
      setProblem(toProblem(error));
    }
    setBusy(false);
  }

  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onClose={props.close}>
      <form onSubmit={submit}>
        <h2 id="dialog-title">{props.title}</h2>
        {result !== undefined ? (
          result
        ) : (
          <>
            {props.children}
            {props.note && (
              <label>
                Why {props.note === 'optional' && <small>(optional)</small>}
                <input name="note" maxLength={500} required={props.note === 'required'} autoComplete="off" />
                <small>Kept in the history.</small>
              </label>
            )}
          </>
        )}
        {problem && <ProblemBox problem={problem} />}
        <div class="actions">
          <button type="button" onClick={() => dialog.current?.close()}>
            {result !== undefined ? 'Close' : 'Back'}
          </button>
          {result === undefined && (
            <button type="submit" class={props.danger ? 'danger primary' : 'primary'} disabled={busy}>
              {busy ? 'One moment …' : props.label}
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}
