/**
 * `npm run bench:io`: printing and files, whole processes beside native `lua5.4`; the least of five runs each, taken in turn. Time by the clock
 * and, because a busy machine spoils that, processor time.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const RUNS = 5;
const SIZE_MB = 50;

/** `path` holds 50 MB in lines of 100 bytes; `other` is written. */
const SCRIPTS: Record<string, string> = {
  'start-up alone': '',
  'print a million lines': 'for i = 1, 1000000 do print(i) end',
  'write 50 MB in lines': `local f = io.open(other, 'w') local s = ('x'):rep(99) .. '\\n' for _ = 1, 500000 do f:write(s) end f:close()`,
  'write 50 MB at once': `local f = io.open(other, 'w') f:write((('x'):rep(99) .. '\\n'):rep(500000)) f:close()`,
  'read 50 MB in lines': 'local n = 0 for line in io.lines(path) do n = n + #line end assert(n == 49500000)',
  'read 50 MB in blocks': 'local n = 0 for block in io.lines(path, 65536) do n = n + #block end assert(n == 50000000)',
  'read 50 MB at once': `local f = io.open(path) assert(#f:read('a') == 50000000) f:close()`,
  'write 50 MB in lines and read it so': `local f = io.open(other, 'w') local s = ('x'):rep(99) .. '\\n' for _ = 1, 500000 do f:write(s) end f:close()
local n = 0 for line in io.lines(other) do n = n + #line end assert(n == 49500000)`,
  'copy 50 MB in blocks': `local i, o = io.open(path), io.open(other, 'w') for b in i:lines(65536) do o:write(b) end i:close() o:close()`,
};

const command = fileURLToPath(new URL('../bin/llmspell.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'llmspell-bench-io-'));
const script = join(directory, 'bench.lua');
const [path, other] = [join(directory, 'fifty.txt'), join(directory, 'other.txt')];
writeFileSync(path, `${'x'.repeat(99)}\n`.repeat(SIZE_MB * 10_000));

interface Cost {
  wallMs: number;
  cpuMs: number;
}

/** What a whole process costs; its output goes through a pipe, as most output does. */
function cost(interpreter: string): Cost {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync('sh', ['-c', `${interpreter} '${script}' | cat > /dev/null; times`], {
    cwd: directory,
    encoding: 'utf8',
  });
  if (status !== 0 || stderr !== '') throw new Error(`${interpreter} failed: ${stderr}`);
  const wallMs = performance.now() - start;
  // The second line is what the children took: user and system, as `0m0.12s`.
  const times = [
    ...stdout
      .trim()
      .split('\n')
      .at(-1)!
      .matchAll(/(\d+)m([\d.]+)s/g),
  ];
  return {
    wallMs,
    cpuMs: times.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60e3 + Number(seconds) * 1e3, 0),
  };
}

const least = (costs: Cost[]): Cost => ({
  wallMs: Math.min(...costs.map((c) => c.wallMs)),
  cpuMs: Math.min(...costs.map((c) => c.cpuMs)),
});

/** The shell tells processor time in steps of 10 ms. */
const COARSE_MS = 20;

const line = (name: string, own: number, native: number): string => {
  const times = native < COARSE_MS ? 'too short to compare' : `${(own / native).toFixed(2)} ×`;
  return `${name} ${own.toFixed(0)} ms, lua5.4 ${native.toFixed(0)} ms, ${times}`;
};

/** Processor time counts V8's threads too, which compile what has become hot while the script goes on. */
const beyond = (own: Cost, native: Cost, idle: { own: Cost; native: Cost }): string =>
  [
    line('clock', own.wallMs - idle.own.wallMs, native.wallMs - idle.native.wallMs),
    line('processor', own.cpuMs - idle.own.cpuMs, native.cpuMs - idle.native.cpuMs),
  ].join('; ');

let idle: { own: Cost; native: Cost } | undefined;
for (const [name, code] of Object.entries(SCRIPTS)) {
  writeFileSync(script, `local path, other = '${path}', '${other}'\n${code}\n`);
  const pairs = Array.from({ length: RUNS }, () => ({
    own: cost(`'${process.execPath}' '${command}' run`),
    native: cost('lua5.4'),
  }));
  const own = least(pairs.map((pair) => pair.own));
  const native = least(pairs.map((pair) => pair.native));
  console.log(`${name}: ${line('clock', own.wallMs, native.wallMs)}; ${line('processor', own.cpuMs, native.cpuMs)}`);
  if (idle !== undefined) console.log(`  without start-up: ${beyond(own, native, idle)}`);
  idle ??= { own, native };
}
rmSync(directory, { recursive: true });
