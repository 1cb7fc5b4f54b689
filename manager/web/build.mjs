// Builds the dashboard in the working directory: gen/ (types of the API's JSON, from the protos) and
// dist/ (what the manager serves).
//
//   PROTOC=protoc PROTO_DIR=../../proto node build.mjs
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

// What it says is enough: no trace of this program besides.
function run(program, words) {
  const { status, error } = spawnSync(program, words, { stdio: 'inherit' });
  if (error) console.error(`build.mjs: cannot run ${program}: ${error.message}`);
  if (status !== 0) process.exit(1);
}

const protos = resolve(process.env.PROTO_DIR ?? '../../proto');

// The shapes are those of the protos, by a generator: the compiler finds what does not fit any more.
function generateTypes() {
  rmSync('gen', { recursive: true, force: true });
  mkdirSync('gen');
  const files = readdirSync(join(protos, 'hostq/v1'))
    .filter((name) => name.endsWith('.proto'))
    .map((name) => `hostq/v1/${name}`);
  run(process.env.PROTOC ?? 'protoc', [
    `-I${protos}`,
    '--plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es',
    '--es_out=gen',
    '--es_opt=target=ts,json_types=true',
    ...files,
  ]);
}

// What each reason means, in the words that stand beside it in reason.proto.
function generateReasons() {
  const text = readFileSync(join(protos, 'hostq/v1/reason.proto'), 'utf8');
  const reasons = [...text.matchAll(/^\s*([A-Z_]+) = [1-9]\d*;\s*\/\/ (.*)$/gm)];
  const entries = reasons.map(([, name, meaning]) => [name, meaning]);
  writeFileSync('gen/reasons.json', JSON.stringify(Object.fromEntries(entries)));
}

generateTypes();
generateReasons();
run('node_modules/.bin/tsc', ['--project', '.']);
rmSync('dist', { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: { app: 'src/main.tsx', style: 'src/style/style.css' },
  // With a hash of what is in them: browsers need not ask for them again.
  entryNames: 'assets/[name]-[hash]',
  bundle: true,
  minify: true,
  metafile: true,
  format: 'esm',
  target: ['es2022', 'chrome111', 'firefox121', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  outdir: 'dist',
  logLevel: 'warning',
});
cpSync('src/static', 'dist', { recursive: true });
let page = readFileSync('dist/index.html', 'utf8');
for (const path of Object.keys(metafile.outputs)) {
  const [, name, extension] = path.match(/assets\/(\w+)-\w+\.(\w+)$/);
  page = page.replace(`/${name}.${extension}`, path.replace(/^dist/, ''));
}
writeFileSync('dist/index.html', page);
