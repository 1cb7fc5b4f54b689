import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { findSession, Problem, signOut } from './api';
import { formatTime } from './clock';
import { liveState, startLive, stopLive } from './live';
import { Account } from './pages/account';
import { Accounts } from './pages/accounts';
import { Alarms } from './pages/alarms';
import { Audit } from './pages/audit';
import { CommandPage } from './pages/command';
import { Commands } from './pages/commands';
import { Events } from './pages/events';
import { Findings } from './pages/findings';
import { Keys } from './pages/keys';
import { Manager } from './pages/manager';
import { NodePage } from './pages/node';
import { Nodes } from './pages/nodes';
import { Overview } from './pages/overview';
import { SignIn } from './pages/sign-in';
import { WebhookPage } from './pages/webhook';
import { Webhooks } from './pages/webhooks';
import { Page } from './parts/page';
import { ProblemBox } from './parts/problem';
import { When } from './parts/time';
import { toProblem } from './resource';
import { link, useRoute, type Route } from './route';
import { session, type Session } from './session';
import { useStore } from './store';

const sections = [
  ['', 'Overview'],
  ['findings', 'Findings'],
  ['commands', 'Commands'],
  ['nodes', 'Nodes'],
  ['accounts', 'Accounts'],
  ['events', 'Events'],
  ['webhooks', 'Webhooks'],
  ['keys', 'Keys'],
  ['alarms', 'Alarms'],
  ['audit', 'Audit'],
] as const;

// The key makes a page that shows something else a new one.
function pageOf({ path }: Route): ComponentChildren {
  const [section = '', name] = path;
  if (path.length > 2) return <NotFound />;
  if (name !== undefined) {
    switch (section) {
      case 'commands':
        return <CommandPage id={name} key={name} />;
      case 'nodes':
        return <NodePage name={name} key={name} />;
      case 'accounts':
        return <Account domain={name} key={name} />;
      case 'webhooks':
        return <WebhookPage name={name} key={name} />;
    }
    return <NotFound />;
  }
  switch (section) {
    case '':
      return <Overview />;
    case 'findings':
      return <Findings />;
    case 'commands':
      return <Commands />;
    case 'nodes':
      return <Nodes />;
    case 'accounts':
      return <Accounts />;
    case 'events':
      return <Events />;
    case 'webhooks':
      return <Webhooks />;
    case 'keys':
      return <Keys />;
    case 'alarms':
      return <Alarms />;
    case 'audit':
      return <Audit />;
    case 'manager':
      return <Manager />;
  }
  return <NotFound />;
}

const NotFound = () => (
  <Page title="No such page">
    <p>
      There is nothing at this address. <a href={link()}>Go to the overview</a>
    </p>
  </Page>
);

export function App() {
  const current = useStore(session);
  const [problem, setProblem] = useState<Problem>();
  useEffect(() => {
    findSession().catch((error) => setProblem(toProblem(error)));
  }, []);
  if (current) return <Dashboard session={current} />;
  if (current === null) return <SignIn />;
  return (
    <main class="sign-in">
      {problem ? (
        <>
          <ProblemBox problem={problem} />
          <button type="button" onClick={() => location.reload()}>
            Try again
          </button>
        </>
      ) : (
        <p class="loading">Loading …</p>
      )}
    </main>
  );
}

function Dashboard({ session }: { session: Session }) {
  const route = useRoute();
  useEffect(() => {
    startLive();
    return stopLive;
  }, []);
  const [section = ''] = route.path;
  const skip = () => document.querySelector<HTMLElement>('main h1')?.focus();
  return (
    <div class="frame">
      <button type="button" class="skip" onClick={skip}>
        Skip to the content
      </button>
      <header class="bar">
        <a class="brand" href={link()}>
          <img src="/icon.svg" alt="" width="20" height="20" /> hostq
        </a>
        <nav aria-label="Sections">
          {sections.map(([path, title]) => (
            <a
              key={path}
              href={link(...(path ? [path] : []))}
              aria-current={path === section ? 'page' : undefined}
            >
              {title}
            </a>
          ))}
        </nav>
        <div class="who">
          <Live />
          <span class="actor" title={`signed in until ${formatTime(session.expireTime)}`}>
            {session.actor}
          </span>
          <button type="button" class="plain" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </header>
      <main>{pageOf(route)}</main>
    </div>
  );
}

function Live() {
  const { live, since } = useStore(liveState);
  return (
    <span class={live ? 'live' : 'live broken'} role="status">
      {live ? (
        'live'
      ) : (
        <>
          not live since <When at={new Date(since).toISOString()} />
        </>
      )}
    </span>
  );
}
