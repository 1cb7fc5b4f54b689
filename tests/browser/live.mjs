// What changes is seen without loading a page again; where it cannot be, that is said.
import { expectNoComplaints, open, openWindow, signIn } from './browser.mjs';
import { check, expect } from './checks.mjs';
import { key, onNode, startManager, stopManager, submit } from './cluster.mjs';

export async function checkLive(browser, { bound }) {
  const page = await openWindow(browser);
  await check('live: signs in', () => signIn(page));
  await check('live: a command that is submitted elsewhere comes up in the list', async () => {
    await open(page, 'commands');
    await page.locator('.live', { hasText: /^live$/ }).waitFor();
    const id = await submit('bindAddress', { address: '203.0.113.77' }, { nodes: ['web1'] });
    const row = page.locator('tr', { hasText: id });
    await row.waitFor();
    await row.locator('.badge', { hasText: 'SUCCEEDED' }).waitFor();
    expectNoComplaints(page);
  });
  await check('live: so do events', async () => {
    await open(page, 'events');
    const id = await submit('bindAddress', { address: '203.0.113.78' }, { nodes: ['web1'] });
    await page.locator('.timeline li', { hasText: id }).first().waitFor();
  });
  await check('live: what a node loses and gets back is told', async () => {
    await open(page, 'nodes/web1');
    onNode('web1', 'ip', 'addr', 'del', '203.0.113.10/32', 'dev', 'lo');
    await page.locator('.timeline li', { hasText: 'node repaired' }).first().waitFor();
    expectNoComplaints(page);
  });
  await check('live: without the manager it says since when it is not', async () => {
    await open(page, `commands/${bound}`);
    await stopManager();
    await page.locator('.live.broken', { hasText: 'not live since' }).waitFor();
    expect(await page.locator('h1', { hasText: 'bind_address' }).isVisible(), 'what was there is gone');
    page.complaints = [];
  });
  await check(
    'live: when it is back, one signs in again (sessions are in memory) and goes on at the same place',
    async () => {
      await startManager();
      await page.getByLabel('API key').waitFor();
      await page.locator('main', { hasText: 'Your session has ended' }).waitFor();
      await page.getByLabel('API key').fill(key);
      await page.keyboard.press('Enter');
      await page.locator('h1', { hasText: 'bind_address' }).waitFor();
      await page.locator('.live', { hasText: /^live$/ }).waitFor();
    },
  );
  await page.context().close();
}
