// Every page in every size and colour.
import { expectAccessible, expectFits, expectNoComplaints, open, openWindow, signIn } from './browser.mjs';
import { check, expect } from './checks.mjs';

const widths = [360, 1280, 3840];
const heights = { 360: 780, 1280: 900, 3840: 2160 };
const schemes = ['light', 'dark'];

// Where they are, and a text that they show when they show what they should.
export const pagesOf = ({ bound, stuck, share }) => [
  ['overview', '', 'Findings'],
  ['findings', 'findings', 'ADDRESS_ON_OTHER_INTERFACE'],
  ['findings of a node', 'findings?node=web2&all=true', 'web2'],
  ['commands', 'commands', 'bind_address'],
  ['commands that are unfinished', 'commands?active=true', stuck],
  ['command that has finished', `commands/${bound}`, 'changed'],
  ['command that is stuck', `commands/${stuck}`, 'What to do'],
  ['command with two nodes in trouble', `commands/${share}`, 'Attempt 1'],
  ['nodes', 'nodes', 'web199'],
  ['node', 'nodes/web1', 'Preflight'],
  ['node that has not joined', 'nodes/web150', 'PENDING'],
  ['accounts', 'accounts', 'customer0.example.com'],
  ['account', 'accounts/customer0.example.com', 'On each node'],
  ['events', 'events', 'web'],
  ['keys', 'keys', 'dashboard'],
  ['alarms', 'alarms', 'alarm'],
  ['audit', 'audit', 'CreateCommand'],
  ['webhooks', 'webhooks', 'webhook'],
  ['manager', 'manager', 'disk'],
  ['no such page', 'nowhere/at/all', 'nothing at this address'],
];

async function checkPage(page, path, text) {
  await open(page, path);
  await page.locator('main', { hasText: text }).waitFor();
  const title = await page.title();
  expect(/^.+ · hostq$/.test(title), `its title is "${title}"`);
  await expectFits(page);
  expectNoComplaints(page);
}

export async function checkPages(browser, made) {
  for (const scheme of schemes) {
    for (const width of widths) {
      const page = await openWindow(browser, { width, height: heights[width], scheme });
      await check(`sign-in at ${width}, ${scheme}`, async () => {
        await signIn(page);
        await expectFits(page);
        expectNoComplaints(page);
      });
      for (const [name, path, text] of pagesOf(made)) {
        await check(`${name} at ${width}, ${scheme}`, async () => {
          await checkPage(page, path, text);
          // Names, roles, contrast; they do not depend on the width but for what it hides.
          if (width !== 3840) await expectAccessible(page);
        });
      }
      await page.context().close();
    }
  }
}

// After every text that a person may set has been set to a script.
export async function checkTexts(browser, made, { skipped }) {
  const page = await openWindow(browser);
  await check('text stays text: signs in', () => signIn(page));
  const places = [
    ...pagesOf(made),
    ['node with such notes', 'nodes/web9', '<img'],
    ['node that is banned', 'nodes/web10', '<img'],
    ['command with such an id', `commands/${skipped}`, '<img'],
    ['keys that are revoked', 'keys?revoked=true', 'leaked'],
    ['an address that is a script', 'commands/%3Cimg%20src%3Dx%20onerror%3Dwindow.pwned%3D1%3E', '<img'],
    ['filters that are scripts', 'findings?node=%3Cimg%20src=x%20onerror=window.pwned=1%3E', 'Findings'],
  ];
  for (const [name, path, text] of places) {
    await check(`text stays text: ${name}`, async () => {
      await open(page, path);
      await page.locator('main', { hasText: text }).waitFor();
      const { pwned, foreign } = await page.evaluate(() => ({
        pwned: 'pwned' in window,
        foreign: document.querySelectorAll('#app script, #app iframe, #app img:not([src="/icon.svg"])')
          .length,
      }));
      expect(!pwned, 'the script has run');
      expect(foreign === 0, `${foreign} elements came from a text`);
      // Refusals are expected of names that are none.
      page.complaints = page.complaints.filter((one) => !/^4\d\d GET /.test(one));
      expectNoComplaints(page);
    });
  }
  await page.context().close();
}
