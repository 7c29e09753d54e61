import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DiskFile } from '../../src/lua/files.js';
import { Jail } from '../../src/lua/jail.js';

let dir: string;
beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'llmspell-files-')));
});
afterAll(() => rmSync(dir, { recursive: true }));

type Step =
  | { do: 'write'; length: number; byte: number }
  | { do: 'read'; length: number }
  | { do: 'seek'; offset: number; whence: number }
  | { do: 'flush' };

// Around the sizes at which the buffer is filled, passed by, or left alone.
const length = fc.oneof(
  fc.nat(200),
  fc.integer({ min: 16_000, max: 17_000 }),
  fc.integer({ min: 60_000, max: 140_000 }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), length, byte: fc.nat(255), through: fc.boolean() }),
  fc.record({ do: fc.constant('read' as const), length }),
  fc.record({ do: fc.constant('seek' as const), offset: fc.integer({ min: -300, max: 70_000 }), whence: fc.nat(2) }),
  fc.record({ do: fc.constant('flush' as const) }),
);

/** What a file is to a script: bytes and a position. */
class Model {
  bytes = Buffer.alloc(0);
  position = 0;

  write(data: Uint8Array, append: boolean): void {
    if (append) this.position = this.bytes.length;
    const end = this.position + data.length;
    if (end > this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(end - this.bytes.length)]);
    this.bytes.set(data, this.position);
    this.position = end;
  }

  read(wanted: number): Buffer {
    const part = this.bytes.subarray(this.position, this.position + wanted);
    this.position += part.length;
    return part;
  }

  seek(offset: number, whence: number): number | undefined {
    const target = offset + [0, this.position, this.bytes.length][whence]!;
    if (target < 0) return undefined;
    this.position = target;
    return target;
  }
}

function readFully(file: DiskFile, wanted: number): Buffer {
  const into = Buffer.alloc(wanted);
  let done = 0;
  while (done < wanted) {
    const n = file.read(into.subarray(done));
    if (n === 0) break;
    done += n;
  }
  return into.subarray(0, done);
}

describe('a file on disk', () => {
  it.each([
    ['w+', false],
    ['a+', true],
  ])('opened with %s is the bytes and the position that its history says, whatever is buffered', (flags, append) => {
    const path = join(dir, `model-${flags}`);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        writeFileSync(path, '');
        const file = new DiskFile(openSync(path, flags), append);
        const model = new Model();
        for (const now of steps) {
          if (now.do === 'write') {
            const data = Buffer.alloc(now.length, now.byte);
            // Lua's C library never reads ahead and writes without a seek between.
            expect(file.seek(0, 1)).toBe(model.position);
            if (data.length > 0) model.write(data, append);
            if (data.length > 0) file.write(data, 0, data.length);
          } else if (now.do === 'read') {
            expect(readFully(file, now.length).equals(model.read(now.length))).toBe(true);
          } else if (now.do === 'seek') {
            const target = model.seek(now.offset, now.whence);
            if (target === undefined) expect(() => file.seek(now.offset, now.whence)).toThrow();
            else expect(file.seek(now.offset, now.whence)).toBe(target);
          } else {
            file.flush();
            expect(statSync(path).size).toBe(model.bytes.length);
          }
        }
        file.close();
        expect(readFileSync(path).equals(model.bytes)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a jail', () => {
  it('opens what realpath finds inside, and nothing that it finds outside, whatever the path is made of', () => {
    const outside = join(dir, 'jail');
    const root = join(outside, 'root');
    mkdirSync(join(root, 'a', 'b'), { recursive: true });
    mkdirSync(join(outside, 'c'));
    for (const place of [root, join(root, 'a'), join(root, 'a', 'b'), outside, join(outside, 'c')])
      writeFileSync(join(place, 'f'), '');
    const links = {
      up: '..',
      up2: '../..',
      root: root,
      out: outside,
      here: '.',
      b: 'a/b',
      c: join(outside, 'c'),
      f2: 'f',
      fout: '../f',
      chain: 'up',
    };
    for (const place of [root, join(root, 'a'), outside]) {
      for (const [name, target] of Object.entries(links))
        if (name !== 'b' || place === root) symlinkSync(target, join(place, `l_${name}`));
    }
    const jail = new Jail([root]);
    const parts = fc.constantFrom(
      'a',
      'b',
      'c',
      'f',
      '.',
      '..',
      '',
      'root',
      'none',
      ...Object.keys(links).map((name) => `l_${name}`),
    );
    const inside = (path: string) => path === root || path.startsWith(`${root}/`);
    fc.assert(
      fc.property(fc.array(parts, { minLength: 1, maxLength: 8 }), (names) => {
        const path = `${root}/${names.join('/')}`;
        const real = realOf(path);
        const opened = attempt(() => jail.open(Buffer.from(path), 0, 0).close());
        if (real === undefined) expect(opened).not.toBe('opened');
        else if (!inside(real)) expect([path, opened]).toEqual([path, 'EPERM']);
        // A last name that lies outside is refused even where it is a link back inside.
        else if (inside(realOf(dirname(path)) ?? '')) expect([path, opened]).toEqual([path, 'opened']);
      }),
      { numRuns: 3000, examples: [[['l_up', 'l_root', '']]] },
    );
  });
});

function realOf(path: string): string | undefined {
  try {
    // Not the JavaScript one: it removes `..` from the text.
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}

function attempt(open: () => void): string {
  try {
    open();
    return 'opened';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
