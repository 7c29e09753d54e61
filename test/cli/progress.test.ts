import { afterEach, expect, test, vi } from 'vitest';
import type { Progress } from '../../src/backup/types.js';
import type { Context } from '../../src/cli/context.js';
import { withProgress } from '../../src/cli/progress.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const step = (done: number): Progress => ({ operation: 'backup', phase: 'entries', done, total: 1000, message: '' });
const watched = (animated: boolean) =>
  ({ signal: new AbortController().signal, out: { animated } }) as unknown as Context;

/** A thousand steps in a second; what was written to the terminal. */
async function second(animated: boolean): Promise<string[]> {
  vi.useFakeTimers();
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  await withProgress(watched(animated), async ({ onProgress }) => {
    for (let i = 1; i <= 1000; i++) {
      vi.setSystemTime(1_000_000 + i);
      onProgress?.(step(i));
    }
  });
  return written;
}

test('a bar is drawn at most ten times a second, and wiped away at the end', async () => {
  const written = await second(true);
  expect(written.length).toBeGreaterThan(5);
  expect(written.length).toBeLessThanOrEqual(11);
  expect(written.at(-1)).toBe('\r\u001b[K');
  for (const line of written) expect(line).toMatch(/^\r\u001b\[K/);
});

test('off a terminal nothing is drawn', async () => {
  expect(await second(false)).toEqual([]);
});
