import { linkWith } from '../route';

// A list's pages: the manager tells only where the next one begins; the browser goes back.
export function Pager({ token, next }: { token: string; next: string }) {
  if (!token && !next) return null;
  return (
    <nav class="pager" aria-label="Pages">
      {token && <a href={linkWith({ page: '' })}>First page</a>}
      {next && (
        <a href={linkWith({ page: next })} rel="next">
          Next page
        </a>
      )}
    </nav>
  );
}
