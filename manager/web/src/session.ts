// Who is signed in. The cookie is out of reach of this program; what is kept here is lost with the
// page, and asked for again.
import { makeStore } from './store';

export interface Session {
  actor: string;
  csrfToken: string;
  expireTime: string;
}

// Undefined: not known yet. Null: nobody; `ended` says that somebody was.
export const session = makeStore<Session | null | undefined>(undefined);
export const sessionEnded = makeStore(false);
