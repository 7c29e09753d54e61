/**
 * `npm run bench:migrate [entries...]`: what `llmspell migrate run` takes of memory at states of several sizes: the process's own memory, which must not
 * grow with the state, and the pages of LevelDB's files that it has mapped, which are the system's cache and go when memory is wanted elsewhere. Each
 * entry is changed by two steps. Beside it the same of a thousand entries.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Packr } from 'msgpackr';
import { openHost } from '../dist/index.js';
import { utf8 } from '../dist/util/bytes.js';
import { randomSource } from './entries.js';

const LLMSPELL = fileURLToPath(new URL('../bin/llmspell.js', import.meta.url));
const SMALL = 1000;
const PAGE = 1000;
const SAMPLE_MS = 5;
const KIB = 1024;
const given = process.argv.slice(2).map(Number);
const sizes = [SMALL, ...(given.length > 0 ? given : [250_000, 500_000, 1_000_000])];

const CONFIG = '[runtime.state_persistence]\nmigration_enabled = true\n[runtime.state_persistence.backup]\n';
const STEPS = `
[[steps]]
scope = "agent:*"
rename = { from = "text", to = "body.text" }
[[steps]]
scope = "agent:*"
convert = { field = "tokens", from = "string", to = "integer" }
`;

/** A state of entries of some 300 bytes, which do not compress well, and two schemas. */
async function build(directory: string, count: number): Promise<void> {
  mkdirSync(join(directory, 'schemas'), { recursive: true });
  writeFileSync(join(directory, 'llmspell.toml'), CONFIG);
  writeFileSync(join(directory, 'schemas/1.0.0.toml'), '');
  writeFileSync(join(directory, 'schemas/2.0.0.toml'), STEPS);
  await using host = await openHost({ directory });
  const store = await host.store();
  const random = randomSource(1);
  const packr = new Packr({ useRecords: false });
  const hex = (length: number) => Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('');
  for (let i = 0; i < count; i += PAGE) {
    const changes = Array.from({ length: PAGE }, (_, n) => ({
      scope: utf8(`agent:${(i + n) % 50}`),
      key: utf8(`message:${i + n}`),
      value: new Uint8Array(packr.pack({ text: hex(220), tokens: String(i + n), at: i })),
    }));
    await store.write(changes);
  }
  await store.flush();
}

interface Peak {
  seconds: number;
  /** MiB. */
  own: number;
  mapped: number;
}

async function migrate(directory: string): Promise<Peak> {
  const child = spawn(process.execPath, [LLMSPELL, 'migrate', 'run', '--yes', '--quiet'], {
    cwd: directory,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const from = performance.now();
  const peak = { own: 0, mapped: 0 };
  const sampling = setInterval(() => {
    const { own, mapped } = memoryOf(child.pid!);
    peak.own = Math.max(peak.own, own);
    peak.mapped = Math.max(peak.mapped, mapped);
  }, SAMPLE_MS);
  const [exitCode] = (await once(child, 'exit')) as [number];
  clearInterval(sampling);
  if (exitCode !== 0) throw new Error(`The migration ended with ${exitCode}.`);
  return { ...peak, seconds: (performance.now() - from) / 1000 };
}

function memoryOf(pid: number): { own: number; mapped: number } {
  const status = readStatus(pid);
  const of = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / KIB;
  return { own: of('RssAnon') + of('RssShmem'), mapped: of('RssFile') };
}

/** Nothing where the process has just gone. */
function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

console.log(`${'entries'.padStart(10)}${'own, peak'.padStart(12)}${'mapped'.padStart(12)}${'time'.padStart(10)}`);
for (const count of sizes) {
  const directory = mkdtempSync(join(tmpdir(), 'llmspell-migrate-'));
  try {
    await build(directory, count);
    const { own, mapped, seconds } = await migrate(directory);
    const figures = [`${own.toFixed(0)} MiB`, `${mapped.toFixed(0)} MiB`].map((figure) => figure.padStart(12));
    console.log(
      `${count.toLocaleString('en-US').padStart(10)}${figures.join('')}${`${seconds.toFixed(1)} s`.padStart(10)}`,
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
