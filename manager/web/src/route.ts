// Pages are addressed by the fragment: "#/commands/05a40e6j01y6a?node=web1".
import { makeStore, useStore } from './store';

export interface Route {
  path: string[]; // ["commands", "05a40e6j01y6a"]
  query: URLSearchParams;
}

function parse(): Route {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const parts = path.split('/').filter(Boolean);
  try {
    return { path: parts.map(decodeURIComponent), query: new URLSearchParams(query) };
  } catch {
    return { path: parts, query: new URLSearchParams(query) };
  }
}

const route = makeStore(parse());
addEventListener('hashchange', () => route.set(parse()));

export const useRoute = () => useStore(route);

// "#/accounts/example.com"
export function link(...path: string[]) {
  return `#/${path.map(encodeURIComponent).join('/')}`;
}

// The same page with other parameters; those that are empty are dropped.
export function linkWith(query: Record<string, string>) {
  const { path, query: old } = route.get();
  const next = new URLSearchParams(old);
  for (const [name, value] of Object.entries(query)) {
    if (value) next.set(name, value);
    else next.delete(name);
  }
  const text = next.toString();
  return link(...path) + (text ? `?${text}` : '');
}

export const go = (hash: string) => {
  location.hash = hash;
};
