import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const at = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** `npm run test:long` has a thousand. */
const count = Number(process.env.LLMSPELL_TEST_DEATHS ?? 36);

interface Outcome {
  before: number;
  after: number;
  text: string;
}

test(`${count} machines that die by traps, aborts and limits leave the process alive and less than 50 MB behind`, {
  timeout: 600_000,
}, () => {
  const output = execFileSync(process.execPath, ['--expose-gc', at('deaths.js'), String(count)], {
    env: { ...process.env, NODE_OPTIONS: `--require ${at('breaking.cjs')}` },
    encoding: 'utf8',
  });
  const { before, after, text } = JSON.parse(output) as Outcome;
  if (count >= 1000) console.log(`${count} deaths: ${before.toFixed(0)} MiB before, ${after.toFixed(0)} MiB after`);
  expect(after - before).toBeLessThan(50);
  expect(text).toBe('alive\n');
});
