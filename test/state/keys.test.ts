import { expect, test } from 'vitest';
import { utf8 } from '../../src/util/bytes.js';
import { BACKENDS, set } from '../backup/harness.js';

test.each(['memory', 'level'] as const)(
  'the keys of a snapshot are those of its entries, now and in the past (%s)',
  async (backend) => {
    const store = await BACKENDS[backend]();
    for (let i = 0; i < 20; i++) await set(store, `s${i % 3}/${i}`, 'x');
    const past = store.position().seq;
    await set(store, 's1/1', null);
    await set(store, 's1/new', 'y');
    for (const snapshot of [await store.snapshot(), await store.at(past)]) {
      for (const scopes of [undefined, [utf8('s1')]]) {
        const names = async (pages: AsyncIterable<readonly { key: Uint8Array }[]>) => {
          const keys: string[] = [];
          for await (const page of pages) keys.push(...page.map(({ key }) => Buffer.from(key).toString('hex')));
          return keys;
        };
        const keys = await names(snapshot.keys(scopes));
        expect(keys).toEqual(await names(snapshot.entries(scopes)));
        expect(keys.length).toBeGreaterThan(5);
      }
      await snapshot.close();
    }
    await store.close();
  },
);
