// See run.sh.
import { startBrowser } from './browser.mjs';
import { check, finish, only } from './checks.mjs';
import { key, makeLife, origin, setHostileTexts, startManager, stopManager } from './cluster.mjs';
import { checkFirstView } from './first-view.mjs';
import { checkKeyboard } from './keyboard.mjs';
import { checkLive } from './live.mjs';
import { checkPages, checkTexts } from './pages.mjs';
import { makeScreenshots } from './screenshots.mjs';
import { checkSessions } from './sessions.mjs';

const words = process.argv.slice(2);
const flag = (name) => words.includes(name);
only(words.find((word) => !word.startsWith('--')) ?? '');

await startManager();
console.log('making 200 nodes and 10,000 commands ...');
const made = await makeLife();

if (flag('--serve')) {
  console.log(`the dashboard: ${origin}/ (in the namespaces of process ${process.pid})\nthe key: ${key}`);
  await new Promise((done) => process.once('SIGINT', done));
  await stopManager();
  process.exit(0);
}

const browser = await startBrowser();
if (flag('--screenshots')) await check('screenshots', () => makeScreenshots(browser, made));
await checkFirstView(browser);
await checkPages(browser, made);
await checkTexts(browser, made, await setHostileTexts());
await checkSessions(browser);
await checkKeyboard(browser, made);
await checkLive(browser, made);
await browser.close();
await stopManager();
process.exit(finish());
