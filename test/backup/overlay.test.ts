import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newestInWindows, overlaid, SplitPages } from '../../src/backup/overlay.js';
import type { RawWrite } from '../../src/state/types.js';
import { utf8 } from '../../src/util/bytes.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const raw = (key: string, value: string | null): RawWrite => ({
  key: utf8(key),
  value: value === null ? null : utf8(value),
});

async function* inPages<T>(items: readonly T[], size: number): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

const key = fc.stringMatching(/^[a-d]{1,3}$/);

test('changes laid over entries are what a map makes of them, however little is held at once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(key, fc.string()),
      fc.array(fc.tuple(key, fc.option(fc.string({ maxLength: 300 })))),
      fc.integer({ min: 0, max: 2000 }),
      fc.integer({ min: 1, max: 5 }),
      async (base, changes, heldBytes, pageSize) => {
        const expected = new Map(Object.entries(base));
        for (const [name, value] of changes)
          if (value === null) expected.delete(name);
          else expected.set(name, value);
        const sorted = Object.keys(base)
          .sort()
          .map((name) => ({ key: utf8(name), value: utf8(base[name]!) }));
        const pages = new SplitPages(inPages(sorted, pageSize));
        const read = () =>
          inPages(
            changes.map(([name, value]) => raw(name, value)),
            pageSize,
          );
        const found: [string, string][] = [];
        for await (const { changes: window, upTo } of newestInWindows(read, heldBytes))
          for await (const page of overlaid(pages.upTo(upTo), window))
            found.push(...page.map((entry): [string, string] => [text(entry.key), text(entry.value)]));
        expect(found).toEqual([...expected].sort(([a], [b]) => (a < b ? -1 : 1)));
      },
    ),
  );
});
