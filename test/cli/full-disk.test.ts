import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { workspace } from './cli.js';

const FILL = `
  local words = {}
  for i = 1, 20000 do words[i] = string.pack("j", math.random(0)) end
  local noise = table.concat(words)
  for i = 1, 300 do State.set("k" .. i, noise .. i) end`;

test.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')(
  'that the disk is full is said once, and in one document',
  async () => {
    const cli = await workspace();
    const place = join(cli.cwd, '.llmspell');
    await mkdir(place);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', place]);
    onTestFinished(() => {
      execFileSync('umount', ['-l', place]);
    });
    const told = await cli.run(['exec', FILL]);
    expect([told.code !== 0, told.stderr.match(/disk is full/g)]).toEqual([true, ['disk is full']]);
    const { code, stdout } = await cli.run(['exec', '--json', FILL]);
    expect(JSON.parse(stdout)).toMatchObject({ error: { message: expect.stringContaining('disk is full') } });
    expect(code).not.toBe(0);
  },
  60_000,
);
