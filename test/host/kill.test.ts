import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { decodeValue } from '../../src/state/codec.js';
import { openStore } from '../../src/state/store.js';
import { utf8 } from '../../src/util/bytes.js';
import { temporaryDirectory } from '../state/temporary.js';

const child = new URL('script-loop.js', import.meta.url).pathname;

test('a process that is killed while a script writes leaves a prefix of what the script did', async () => {
  const directory = join(await temporaryDirectory(), 'state');
  let before = 0;
  for (const waitMs of [150, 40, 260]) {
    const running = spawn(process.execPath, [child, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(running, 'close');
    await once(running.stdout, 'data');
    await delay(waitMs);
    running.kill('SIGKILL');
    await ended;
    const store = await openStore(createLevelBackend({ directory }));
    const numberAt = async (key: string) => {
      const stored = await store.get(utf8('global'), utf8(key));
      return stored === undefined ? 0 : Number(decodeValue(stored.value));
    };
    const last = await numberAt('n');
    expect(last).toBeGreaterThanOrEqual(before);
    const kept = await Promise.all(Array.from({ length: 10 }, (_, k) => numberAt(`k${k}`)));
    // The second write of the last round may be missing, and nothing else.
    kept.forEach((value, k) => {
      const newest = last - ((last - k + 10) % 10);
      expect(value === newest || (newest === last && value === last - 10)).toBe(true);
    });
    before = last;
    await store.close();
  }
});
