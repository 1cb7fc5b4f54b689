// What an administrator does at night, without a mouse: from the sign-in to a command that is tried again.
import { expectNoComplaints, openWindow } from './browser.mjs';
import { check, expect } from './checks.mjs';
import { api, key, onNode, origin } from './cluster.mjs';

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const style = getComputedStyle(element);
    return {
      text: (element.textContent || element.getAttribute('aria-label') || '').trim(),
      tag: element.tagName,
      seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0,
    };
  });

// Presses Tab until the focus is on what has this text; each place on the way must be seen to have it.
async function tabTo(page, text, most = 60) {
  const way = [];
  for (let i = 0; i < most; ++i) {
    await page.keyboard.press('Tab');
    const at = await focused(page);
    if (at.tag === 'BODY') continue;
    expect(at.seen, `one does not see that the focus is on ${at.tag} "${at.text}"`);
    way.push(at.text.slice(0, 30));
    if (at.text.startsWith(text)) return;
  }
  throw new Error(`Tab does not come to "${text}": ${way.join(', ')}`);
}

export async function checkKeyboard(browser, { stuck, first }) {
  const page = await openWindow(browser);
  const press = (name) => page.keyboard.press(name);
  await check('keyboard: signs in', async () => {
    await page.goto(origin);
    await page.getByLabel('API key').waitFor();
    expect((await focused(page)).tag === 'INPUT', 'the field of the key has not the focus');
    await page.keyboard.type(key);
    await press('Enter');
    await page.locator('.overview').waitFor();
  });
  await check('keyboard: skips to the content', async () => {
    await tabTo(page, 'Skip to the content');
    await press('Enter');
    const { tag } = await focused(page);
    expect(tag === 'H1', `the focus is on ${tag}`);
  });
  await check('keyboard: goes to the findings, and opens one', async () => {
    await page.goto(`${origin}/#/findings?reason=ADDRESS_ON_OTHER_INTERFACE`);
    await page.locator('.cause').first().waitFor();
    await tabTo(page, 'ADDRESS_ON_OTHER_INTERFACE');
    await press('Enter');
    await page.getByText('What to do').first().waitFor();
  });
  await check('keyboard: from there to the command; the page tells its name', async () => {
    await tabTo(page, `${stuck}/web2`);
    await press('Enter');
    await page.locator('h1', { hasText: 'bind_address' }).waitFor();
    expect((await focused(page)).tag === 'H1', 'the heading has not the focus');
  });
  await check(
    'keyboard: the cause is mended, Retry does it, and the page tells without being loaded again',
    async () => {
      onNode('web2', 'ip', 'addr', 'del', '203.0.113.20/32', 'dev', 'eth0');
      await page.evaluate(() => (window.sameDocument = true));
      await page.locator('h1').focus();
      // If the manager has seen that it was mended before, there is nothing to retry.
      const retry = page.getByRole('button', { name: 'Retry …' });
      if (await retry.isVisible()) {
        await tabTo(page, 'Retry …');
        await press('Enter');
        await page.locator('dialog[open]', { hasText: 'sent again now' }).waitFor();
        await tabTo(page, 'Retry');
        await press('Enter');
      }
      await page.locator('h1 .badge', { hasText: 'SUCCEEDED' }).waitFor();
      expect(await page.evaluate(() => window.sameDocument), 'it was loaded again');
      expectNoComplaints(page);
    },
  );
  await check(
    'keyboard: a dialog says what follows; Escape changes nothing, and the focus goes back',
    async () => {
      await page.goto(`${origin}/#/commands/${first}`);
      await page.locator('h1', { hasText: 'resync_node' }).waitFor();
      await tabTo(page, 'Cancel …');
      await press('Enter');
      await page.locator('dialog[open]', { hasText: 'End at once as CANCELLED' }).waitFor();
      await page.locator('dialog', { hasText: 'What waits behind it goes on' }).waitFor();
      await press('Escape');
      await page.locator('dialog[open]').waitFor({ state: 'detached' });
      expect((await focused(page)).text.startsWith('Cancel'), 'the focus is elsewhere');
      expect((await api('GET', `/v1/commands/${first}`)).state === 'ACTIVE', 'it was cancelled');
    },
  );
  await page.context().close();
}
