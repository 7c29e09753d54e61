import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { checkState } from '../../src/state/check.js';
import { openStore } from '../../src/state/store.js';
import { temporaryDirectory } from './temporary.js';

const child = new URL('crash-child.js', import.meta.url).pathname;
const canMount = process.getuid?.() === 0 && spawnSync('mkfs.ext4', ['-V']).error === undefined;

function mount(image: string, place: string): boolean {
  return spawnSync('mount', ['-o', 'loop', image, place]).status === 0;
}

test.skipIf(!canMount)(
  'what was flushed is there after a power cut, and nothing is missing from the middle',
  async (context) => {
    const directory = await temporaryDirectory();
    const [image, copy, disk, after] = ['image', 'copy', 'disk', 'after'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
      string,
    ];
    await Promise.all([mkdir(disk), mkdir(after)]);
    execFileSync('truncate', ['-s', '300M', image]);
    execFileSync('mkfs.ext4', ['-q', image]);
    if (!mount(image, disk)) context.skip('loop devices cannot be mounted here');
    const writer = spawn(process.execPath, [child, join(disk, 'state'), 'flush', 'none', '1'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(async () => {
      writer.kill('SIGKILL');
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
      execFileSync('umount', [disk]);
    });
    let flushed = 0;
    const lines = createInterface({ input: writer.stdout }).on('line', (line) => {
      flushed = Number(line);
    });
    await once(lines, 'line');
    for (let cut = 0; cut < 4; cut++) {
      await new Promise((resolve) => setTimeout(resolve, 40 + 37 * cut));
      const promised = flushed;
      // What the file system has not written to its disk by now is not in the copy.
      writer.kill('SIGSTOP');
      execFileSync('cp', ['--sparse=always', image, copy]);
      writer.kill('SIGCONT');
      expect(mount(copy, after)).toBe(true);
      try {
        const state = join(after, 'state');
        const store = await openStore(createLevelBackend({ directory: state }));
        expect(store.position().seq).toBeGreaterThanOrEqual(promised);
        await store.close();
        expect(await checkState(createLevelBackend({ directory: state }))).toMatchObject({
          isSound: true,
          problems: [],
        });
      } finally {
        execFileSync('umount', [after]);
      }
    }
  },
);
