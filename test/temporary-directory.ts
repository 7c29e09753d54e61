import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whatever the tests put into the system's temporary directory is gone when they are over, those that failed included. */
export function setup(): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'llmspell-test-'));
  process.env.TMPDIR = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}
