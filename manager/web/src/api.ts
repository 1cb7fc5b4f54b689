// Calls of the REST API. What it refuses is thrown as a Problem, as is a manager that does not answer.
import { noteServerTime } from './clock';
import { session, sessionEnded, type Session } from './session';
import type { Event, Overview } from './types';

// What application/problem+json tells.
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    readonly detail: string,
    readonly remedy = '',
    readonly requestId = '',
  ) {
    super(detail);
  }
}

async function problemOf(response: Response): Promise<Problem> {
  try {
    const body = await response.json();
    const detail = String(body.detail || body.title || response.statusText);
    return new Problem(
      response.status,
      String(body.reason ?? ''),
      detail,
      String(body.remedy ?? ''),
      String(body.requestId ?? ''),
    );
  } catch {
    return new Problem(response.status, '', `the manager answered ${response.status} ${response.statusText}`);
  }
}

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  const headers = new Headers({ accept: 'application/json' });
  const token = session.get()?.csrfToken;
  if (method !== 'GET' && token) headers.set('x-csrf-token', token);
  if (body !== undefined) headers.set('content-type', 'application/json');
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, '', 'the manager does not answer', 'systemctl status hostq-manager');
  }
  noteServerTime(response.headers.get('date'));
  if (response.ok || response.status === 304) return response;
  const problem = await problemOf(response);
  // Whatever it was that let us in before: it does so no more.
  if (response.status === 401 && session.get()) {
    sessionEnded.set(true);
    session.set(null);
  }
  throw problem;
}

export async function get<T>(path: string): Promise<T> {
  return (await call('GET', path)).json();
}

async function sent<T>(method: string, path: string, body?: unknown): Promise<T> {
  const text = await (await call(method, path, body)).text();
  return (text ? JSON.parse(text) : {}) as T;
}

export const post = <T>(path: string, body: unknown = {}) => sent<T>('POST', path, body);
export const remove = <T>(path: string) => sent<T>('DELETE', path);

// The data of a stream of events that ends by itself.
export async function getEvents<T>(path: string): Promise<T[]> {
  const text = await (await call('GET', path)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith('data:'))
    .map((line) => JSON.parse(line.slice('data:'.length)) as T);
}

// The last ones: at most so many, and of those the ones that match.
export async function getLastEvents(count: number, filter: { node?: string } = {}): Promise<Event[]> {
  const { lastSequence } = await get<Overview>('/v1/overview');
  const sinceSequence = Math.max(0, Number(lastSequence) - count);
  return getEvents<Event>(withQuery('/v1/events', { ...filter, sinceSequence, noFollow: true }));
}

export async function findSession() {
  try {
    session.set(await get<Session>('/session'));
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 401) session.set(null);
    else throw problem;
  }
}

// With a key, or with the certificate that the browser shows.
export async function signIn(key?: string) {
  const opened = await post<Session>('/session', key === undefined ? {} : { key });
  sessionEnded.set(false);
  session.set(opened);
}

export async function signOut() {
  try {
    await remove('/session');
  } finally {
    sessionEnded.set(false);
    session.set(null);
  }
}

// "/v1/commands" and {pageSize: 50} make "/v1/commands?pageSize=50"; what is empty is left out.
export function withQuery(path: string, query: Record<string, string | number | boolean | undefined>) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '' && value !== false) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

// One segment of a path: names and ids come from elsewhere.
export const segment = encodeURIComponent;
