// Who is let in, and for how long.
import { readFileSync } from 'node:fs';
import { expectNoComplaints, open, openWindow, signIn } from './browser.mjs';
import { check, expect } from './checks.mjs';
import { hostq, identityFile, origin } from './cluster.mjs';

const newKey = (name, ...scopes) =>
  JSON.parse(
    hostq('key', 'create', name, ...scopes.flatMap((scope) => ['--scope', scope]), '--output', 'json'),
  ).text;

async function signInWith(page, text) {
  await page.goto(origin);
  await page.getByLabel('API key').fill(text);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

export async function checkSessions(browser) {
  const page = await openWindow(browser);
  await check('session: a wrong key is refused, with the reason and what to do', async () => {
    await signInWith(page, 'hostq_aaaaaaaaaa_none');
    await page.locator('.problem', { hasText: 'KEY_INVALID' }).waitFor();
    page.complaints = [];
  });
  await check(
    'session: the cookie is out of reach of scripts, and nothing is stored in the page',
    async () => {
      await signIn(page);
      const [cookie] = await page.context().cookies();
      expect(cookie.name === '__Host-hostq', cookie.name);
      expect(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Strict', JSON.stringify(cookie));
      const kept = await page.evaluate(() =>
        [document.cookie, localStorage.length, sessionStorage.length].join(),
      );
      expect(kept === ',0,0', `kept: ${kept}`);
    },
  );
  await check('session: goes on when the page is loaded again, at the same place', async () => {
    await open(page, 'nodes/web1');
    await page.reload();
    await page.locator('h1', { hasText: 'web1' }).waitFor();
    expectNoComplaints(page);
  });
  await check('session: signing out ends it', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('API key').waitFor();
    await page.reload();
    await page.getByLabel('API key').waitFor();
  });
  await page.context().close();

  await check('session: a key that may only read is refused what it may not, and is told', async () => {
    const reader = await openWindow(browser);
    await signInWith(reader, newKey('reader', 'read'));
    await reader.locator('.overview').waitFor();
    await open(reader, 'nodes/web1');
    await reader.getByRole('button', { name: 'Pause …' }).click();
    await reader.getByLabel('Why').fill('test');
    await reader.getByRole('button', { name: 'Pause', exact: true }).click();
    await reader.locator('dialog .problem', { hasText: 'OUT_OF_SCOPE' }).waitFor();
    await reader.context().close();
  });
  await check('session: ends when its key is revoked', async () => {
    const other = await openWindow(browser);
    await signInWith(other, newKey('shortlived', 'read'));
    await other.locator('.overview').waitFor();
    hostq('key', 'revoke', 'shortlived');
    await other.locator('main', { hasText: 'Your session has ended' }).waitFor();
    await other.context().close();
  });
  await check(
    'session: an administrator signs in with the certificate, and makes and revokes a key',
    async () => {
      const pem = readFileSync(identityFile);
      const alice = await openWindow(browser, {
        more: { clientCertificates: [{ origin, cert: pem, key: pem }] },
      });
      await alice.goto(origin);
      await alice.getByRole('button', { name: 'sign in with the certificate' }).click();
      await alice.locator('.actor', { hasText: 'alice' }).waitFor();
      await open(alice, 'keys');
      await alice.getByRole('button', { name: 'Create key …' }).click();
      await alice.getByLabel('Name').fill('from-the-dashboard');
      await alice.getByLabel('Scopes').fill('read');
      await alice.getByRole('button', { name: 'Create key', exact: true }).click();
      await alice.locator('.secret', { hasText: 'hostq_' }).waitFor();
      await alice.getByRole('button', { name: 'Close' }).click();
      const row = alice.locator('tr', { hasText: 'from-the-dashboard' });
      await row.getByRole('button', { name: 'Revoke …' }).click();
      await alice.getByRole('button', { name: 'Revoke', exact: true }).click();
      await row.waitFor({ state: 'detached' });
      await alice.context().close();
    },
  );
}
