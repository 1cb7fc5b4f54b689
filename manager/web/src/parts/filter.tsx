import type { ComponentChildren } from 'preact';
import { go, linkWith } from '../route';

// A form whose fields are parameters of the page's address.
export function Filter({ children }: { children: ComponentChildren }) {
  function apply(form: HTMLFormElement) {
    const query: Record<string, string> = { page: '' };
    for (const element of form.elements) {
      if (element instanceof HTMLInputElement && element.name) {
        query[element.name] =
          element.type === 'checkbox' ? (element.checked ? 'true' : '') : element.value.trim();
      }
    }
    go(linkWith(query));
  }
  return (
    <form
      class="filter"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        apply(event.currentTarget);
      }}
      onChange={(event) => apply(event.currentTarget)}
    >
      {children}
    </form>
  );
}

export const Text = (props: { name: string; label: string; value: string; placeholder?: string }) => (
  <label>
    {props.label}
    <input
      type="search"
      name={props.name}
      defaultValue={props.value}
      placeholder={props.placeholder}
      autoComplete="off"
      spellcheck={false}
    />
  </label>
);

export const Check = (props: { name: string; label: string; value: boolean }) => (
  <label class="check">
    <input type="checkbox" name={props.name} defaultChecked={props.value} /> {props.label}
  </label>
);
