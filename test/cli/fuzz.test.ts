import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** `npm run test:fuzz` has two thousand. */
const count = Number(process.env.LLMSPELL_TEST_FUZZ ?? 24);
const AT_ONCE = 3;

const cwd = mkdtempSync(join(tmpdir(), 'llmspell-fuzz-'));
mkdirSync(join(cwd, 'files'));
writeFileSync(
  join(cwd, 'llmspell.toml'),
  `[engines.lua]
   memory_limit = 67108864
   [runtime]
   script_timeout_seconds = 3
   [runtime.security]
   allowed_paths = ["./files"]
   [runtime.state_persistence]
   backend_type = "memory"`,
);
afterAll(() => rmSync(cwd, { recursive: true }));

const scripts = ['../lua/conformance', '../lua/escapes', '../../lua-examples'].flatMap((directory) =>
  readdirSync(at(directory))
    .filter((name) => name.endsWith('.lua'))
    .map((name) => readFileSync(join(at(directory), name))),
);

const TOKENS = [
  'end',
  'function',
  '(',
  ')',
  '{',
  '}',
  'local x <close> =',
  'goto a',
  '::a::',
  '...',
  'nil',
  '0/0',
  '1e999',
  '-1',
  '\0',
]
  .concat([
    '[[',
    ']]',
    '--[==[',
    '"',
    '\\',
    '\x1bLua',
    '#!',
    'error',
    'coroutine.wrap',
    'os.exit',
    'State',
    'setmetatable',
    'math.huge',
  ])
  .concat([
    'debug.sethook',
    'io.lines',
    'collectgarbage',
    'string.rep',
    'while true do',
    'repeat',
    'until',
    '>>',
    '//',
    '~=',
    '\xff',
    '\r',
  ]);

/** One change to a text: some of it left out, put in twice or moved, bytes put over it, or words put into it. */
const change = fc.record({
  kind: fc.constantFrom('omit', 'repeat', 'move', 'overwrite', 'insert'),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 400 })),
  bytes: fc.oneof(
    fc.constantFrom(...TOKENS).map((token) => Buffer.from(` ${token} `, 'latin1')),
    randomBytes(20),
  ),
});

function randomBytes(maxLength: number) {
  return fc.uint8Array({ minLength: 1, maxLength }).map((bytes) => Buffer.from(bytes));
}

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(text: Buffer, { kind, from, to, length, bytes }: Change): Buffer {
  const start = Math.floor(from * text.length);
  const [before, part, after] = [
    text.subarray(0, start),
    text.subarray(start, start + length),
    text.subarray(start + length),
  ];
  if (kind === 'omit') return Buffer.concat([before, after]);
  if (kind === 'repeat') return Buffer.concat([before, part, part, after]);
  if (kind === 'overwrite') return Buffer.concat([before, bytes, after]);
  if (kind === 'insert') return Buffer.concat([before, bytes, part, after]);
  const rest = Buffer.concat([before, after]);
  const place = Math.floor(to * rest.length);
  return Buffer.concat([rest.subarray(0, place), part, rest.subarray(place)]);
}

const mutated = fc
  .tuple(fc.constantFrom(...scripts), fc.array(change, { minLength: 1, maxLength: 12 }))
  .map(([script, changes]) => changes.reduce(changed, script));
const script = fc.oneof({ weight: 9, arbitrary: mutated }, { weight: 1, arbitrary: randomBytes(2000) });

interface Ending {
  code: number | null;
  signal: string | null;
  stderr: string;
}

function run(source: Buffer, name: string): Promise<Ending> {
  writeFileSync(join(cwd, name), source);
  const child = spawn(process.execPath, [at('../../bin/llmspell.js'), 'run', name, join(cwd, 'files')], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, XDG_CONFIG_HOME: cwd },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    // What a script prints without end is not kept; how it ended comes last.
    stderr = (stderr + text).slice(-100_000);
  });
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stderr })));
}

const JAVASCRIPT = /^\s+at .+:\d+:\d+\)?$|\b(?:Type|Range|Reference|Runtime)Error\b|node:internal|\[object /m;

/** What is wrong with how it ended; a script may itself end with any code. */
function wrong({ code, signal, stderr }: Ending, source: Buffer): string | undefined {
  if (signal !== null || code === null) return `was killed by ${signal}`;
  if (JAVASCRIPT.test(stderr)) return 'told something of JavaScript';
  if (stderr.includes('broke down')) return 'broke its machine';
  if (code !== 0 && !/^llmspell: ./m.test(stderr) && !source.includes('exit'))
    return `ended with ${code} and no sentence`;
  return undefined;
}

test(`${count} scripts of random bytes and of Lua with bytes changed end with a sentence, and never with JavaScript's`, {
  timeout: 60_000 + count * 2000,
}, async () => {
  const sources = fc.sample(script, count);
  const failures: object[] = [];
  const worker = async (_: unknown, number: number) => {
    for (let i = number; i < count; i += AT_ONCE) {
      const ending = await run(sources[i]!, `s${number}.lua`);
      const what = wrong(ending, sources[i]!);
      if (what !== undefined) failures.push({ what, ...ending, source: sources[i]!.toString('latin1') });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect(failures).toEqual([]);
});
