// The pictures of docs/dashboard.md.
import { mkdirSync } from 'node:fs';
import { open, openWindow, signIn } from './browser.mjs';

const folder = process.env.HOSTQ_SCREENSHOTS;

async function shoot(browser, name, path, look, prepare = async () => {}) {
  const page = await openWindow(browser, look);
  await signIn(page);
  await open(page, path);
  await prepare(page);
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${folder}/${name}.png` });
  await page.context().close();
}

export async function makeScreenshots(browser, { first, share }) {
  mkdirSync(folder, { recursive: true });
  await shoot(browser, 'overview', '', { width: 1200, height: 760 });
  await shoot(browser, 'command', `commands/${share}`, { width: 1200, height: 860, scheme: 'dark' });
  await shoot(browser, 'cancel', `commands/${first}`, { width: 1280, height: 760 }, async (page) => {
    await page.getByRole('button', { name: 'Cancel …' }).click();
    await page.locator('dialog', { hasText: 'What waits behind it goes on' }).waitFor();
  });
  await shoot(browser, 'node', 'nodes/web1', { width: 1280, height: 860 });
  await shoot(browser, 'account', 'accounts/customer0.example.com', { width: 1280, height: 700 });
  await shoot(browser, 'narrow', '', { width: 360, height: 780, scheme: 'dark' });
}
