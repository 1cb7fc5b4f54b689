// Chromium, and what it has to complain of.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';
import { expect } from './checks.mjs';
import { key, origin } from './cluster.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function startBrowser() {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
}

// A window of its own, without what others have in their cache. `page.complaints` gathers what must not be.
export async function openWindow(browser, { width = 1280, height = 900, scheme = 'light', more = {} } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    ignoreHTTPSErrors: true,
    ...more,
  });
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => {
      console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI}`);
    });
  });
  // Generous: a machine that is busy is not what is looked at.
  context.setDefaultTimeout(180_000);
  const page = await context.newPage();
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    page.complaints.push(`a script opened a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    // Chromium says so of each answer that is a refusal; which of them there are, "response" below tells.
    if (message.text().startsWith('Failed to load resource:')) return;
    page.complaints.push(`console: ${message.text()}`);
  });
  page.on('response', (response) => {
    if (response.status() < 400) return;
    // That nobody is signed in.
    if (response.status() === 401 && response.url() === `${origin}/session`) return;
    page.complaints.push(`${response.status()} ${response.request().method()} ${response.url()}`);
  });
  page.on('request', (request) => {
    const { origin: to } = new URL(request.url());
    if (to !== origin && !request.url().startsWith('data:'))
      page.complaints.push(`a request to ${request.url()}`);
  });
  return page;
}

export function expectNoComplaints(page) {
  const complaints = page.complaints.splice(0);
  expect(complaints.length === 0, complaints.join('\n'));
}

// With a key, by hand.
export async function signIn(page) {
  await page.goto(origin);
  await page.getByLabel('API key').fill(key);
  await page.keyboard.press('Enter');
  await page.locator('.overview').waitFor();
}

// A page by its fragment, and what it has to show: the last thing it loads.
export async function open(page, path) {
  await page.goto(`${origin}/#/${path}`);
  await page.locator('main h1').waitFor();
  await page.waitForFunction(() => !document.querySelector('main .loading'));
}

export async function expectFits(page) {
  const { content, room, widest } = await page.evaluate(() => {
    const root = document.documentElement;
    let widest = '';
    for (const element of document.body.querySelectorAll('*')) {
      if (element.getBoundingClientRect().right > root.clientWidth + 1 && !element.closest('.unseen')) {
        widest = `${element.tagName} ${element.className}: ${element.textContent.slice(0, 60)}`;
        break;
      }
    }
    return { content: root.scrollWidth, room: root.clientWidth, widest };
  });
  expect(content <= room, `${content} pixels in ${room}: ${widest}`);
}

export async function expectAccessible(page) {
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(
      (one) =>
        `${one.id}: ${one.help}: ${one.nodes[0].html.slice(0, 160)} ${one.nodes[0].any[0]?.message ?? ''}`,
    );
  });
  expect(violations.length === 0, violations.join('\n'));
}
