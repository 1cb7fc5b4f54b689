// Runs checks one after the other, tells of each, and counts.
let passed = 0;
let failed = 0;
let pattern = '';

export function only(text) {
  pattern = text;
}

export async function check(name, run) {
  if (pattern && !name.includes(pattern)) return;
  try {
    await run();
    ++passed;
    console.log(`  ok   ${name}`);
  } catch (error) {
    ++failed;
    console.log(
      `  FAIL ${name}: ${String(error?.message ?? error)
        .split('\n')
        .slice(0, 6)
        .join('\n       ')}`,
    );
  }
}

export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Until `look` gives something that is true.
export async function eventually(what, look, seconds = 180) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
    await wait(100);
  }
}

// The exit code.
export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}
