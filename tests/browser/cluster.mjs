// The cluster that the dashboard shows: tests/browser/run.sh has made it, here it is given its life.
import { execFileSync, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { eventually } from './checks.mjs';

const { HOSTQ_BIN: bin, HOSTQ_RUN: run, HOSTQ_QUORUM: quorum } = process.env;

export const origin = `https://${quorum}:7446`;
export const key = readFileSync(`${run}/key`, 'utf8').trim();
export const identityFile = `${run}/alice.pem`;

// A text that would be a script, were it ever taken for HTML.
export const hostileText = '<img src=x onerror=window.pwned=1>"\'</script><script>window.pwned=1</script>';

// --- the manager ---

let manager;

export async function startManager() {
  const log = openSync(`${run}/manager.log`, 'a');
  manager = spawn(`${bin}/hostq-manager`, ['run', '--config', `${run}/manager.toml`], {
    stdio: ['ignore', log, log],
  });
  await eventually('the manager answers', () =>
    call('GET', '/healthz').then(
      (answer) => answer.status === 200,
      () => false,
    ),
  );
}

export async function stopManager() {
  const ended = new Promise((done) => manager.once('exit', done));
  manager.kill('SIGTERM');
  await ended;
}

export const hostq = (...words) =>
  execFileSync(`${bin}/hostq`, ['--socket', `${run}/manager.sock`, ...words], { encoding: 'utf8' });

export const onNode = (node, ...words) => execFileSync('nsenter', [`--net=${run}/${node}.net`, ...words]);

// --- REST ---

// The manager's certificate is of its own authority; here it is only about the answers.
export function call(method, path, body, authorization = `Bearer ${key}`) {
  return new Promise((done, refuse) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = { authorization };
    if (text !== undefined) headers['content-type'] = 'application/json';
    const sent = request(origin + path, { method, headers, rejectUnauthorized: false, agent }, (answer) => {
      let data = '';
      answer.setEncoding('utf8').on('data', (piece) => (data += piece));
      answer.on('end', () => done({ status: answer.statusCode, text: data }));
    });
    sent.on('error', (error) => {
      // The server had closed the connection, which it may: nothing of this was read.
      if (sent.reusedSocket && error.code === 'ECONNRESET') done(call(method, path, body, authorization));
      else refuse(error);
    });
    sent.end(text);
  });
}
const agent = new Agent({ keepAlive: true, maxSockets: 20 });

export async function api(method, path, body) {
  const answer = await call(method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.text ? JSON.parse(answer.text) : {};
}

export const submit = async (kind, parameters, more = {}) =>
  (await api('POST', '/v1/commands', { spec: { [kind]: parameters }, ...more })).command.id;

const taskOf = async (id, node) =>
  (await api('GET', `/v1/commands/${id}`)).tasks.find((task) => task.node === node);

// --- its life ---

const addressOf = (i) => `10.77.${1 + (i >> 7)}.${1 + (i & 127)}`;

async function inParallel(count, some, each) {
  let next = 0;
  const worker = async () => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: some }, worker));
}

// 200 nodes and 10,000 commands, and some trouble. What is returned names what the checks look at.
export async function makeLife() {
  await api('POST', '/v1/nodes', { name: 'storage1', roles: ['STORAGE'], address: '10.77.0.2' });
  await inParallel(197, 8, (i) =>
    api('POST', '/v1/nodes', { name: `web${i + 3}`, roles: ['APP'], address: addressOf(i) }),
  );
  await eventually('web1 and web2 are in service', async () => {
    const { nodes } = await api('GET', '/v1/nodes');
    return nodes.filter((node) => node.state === 'READY').length === 2;
  });

  const bound = await submit('bindAddress', { address: '203.0.113.10' }, { nodes: ['web1', 'web2'] });
  const stuck = await submit('bindAddress', { address: '203.0.113.20' }, { nodes: ['web1', 'web2'] });
  const share = await submit(
    'mountShare',
    { share: 'home', source: `${quorum}:/chroot/home`, mountPoint: '/home' },
    { nodes: ['web1', 'web2'] },
  );
  await eventually('an address is bound', async () => (await taskOf(bound, 'web2'))?.phase === 'FINISHED');
  await eventually('a task is parked', async () => (await taskOf(stuck, 'web2'))?.phase === 'PARKED');
  await eventually('the share cannot be mounted', async () =>
    ['PARKED', 'BACKING_OFF'].includes((await taskOf(share, 'web1'))?.phase),
  );

  // Commands that wait for a node that nobody has joined: accounts; a comparison with one behind it.
  for (let i = 0; i < 8; ++i) {
    const account = { domain: `customer${i}.example.com`, user: `customer${i}`, address: '203.0.113.30' };
    await submit('createAccount', { ...account, quotaBytes: '10737418240' });
  }
  const first = await submit('resyncNode', { node: 'web50' });
  await submit('resyncNode', { node: 'web50', apply: true });

  // Of those nobody is there to do them; they end by themselves.
  await inParallel(9_900, 16, (i) => {
    const notAfter = new Date(Date.now() + 30_000).toISOString();
    const address = `198.18.${i >> 8}.${i & 255}`;
    return submit(
      'bindAddress',
      { address },
      { nodes: [`web${3 + (i % 197)}`], notAfter, requestId: `load-${i}` },
    );
  });
  await eventually(
    'what nobody does has expired',
    async () => {
      const { phases } = await api('GET', '/v1/overview');
      return phases.reduce((sum, phase) => sum + Number(phase.count), 0) < 2_500;
    },
    300,
  );
  return { bound, stuck, share, first };
}

// Every text that a person may set, set to what would be a script.
export async function setHostileTexts() {
  const note = hostileText;
  await api('POST', '/v1/nodes/web9:pause', { note });
  await api('POST', '/v1/nodes/web10:ban', { note });
  await api('POST', '/v1/pauses', { kind: 'suspend_account', note });
  await api('POST', '/v1/pauses', { resourceKey: 'share/<img/src=x/onerror=window.pwned=1>', note }).catch(
    () => 0,
  );
  hostq('key', 'create', 'leaked', '--scope', 'read');
  hostq('key', 'revoke', 'leaked', '--note', note);
  const skipped = await submit(
    'bindAddress',
    { address: '203.0.113.99' },
    { nodes: ['web9'], requestId: '<img/src=x/onerror=window.pwned=1>' },
  );
  return { skipped };
}
