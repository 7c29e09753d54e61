// Writes without end, telling on stdout what it was told is done; its parent kills it. Runs on the build.
import { randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createLevelBackend } from '../../dist/state/backends/level.js';
import { encodeKey } from '../../dist/state/key.js';
import { openStore } from '../../dist/state/store.js';
import { utf8 } from '../../dist/util/bytes.js';

const [directory, work, durability, from] = process.argv.slice(2);
const store = await openStore(createLevelBackend({ directory }), { durability, flushIntervalMs: 20 });
const say = (line) => writeSync(1, `${line}\n`);
const scope = utf8('s');

/** Change `i` is two entries at once, so that a torn one shows. */
const write = (i) =>
  store.write([
    { scope, key: utf8(`a${i % 100}`), value: utf8(`${i}`) },
    { scope, key: utf8(`b${i % 100}`), value: utf8(`${i}`) },
  ]);

const works = {
  async write() {
    for (let i = Number(from); ; i++) {
      await write(i);
      say(`${i} ${Date.now()}`);
      if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
  },
  /** Large values, flushed now and then: LevelDB begins a new log every few hundred of them. */
  async flush() {
    for (let i = 1; ; i++) {
      const value = Buffer.concat([utf8(`${i} `), randomBytes(20_000)]);
      await store.write([{ scope, key: utf8(`k${i % 50}`), value }]);
      if (i % 100 !== 0) continue;
      await store.flush();
      say(`${i}`);
    }
  },
  async swap() {
    for (let i = Number(from); ; i++) {
      const generation = await store.newGeneration();
      for (let page = 0; page < 5; page++) {
        const keys = Array.from({ length: 200 }, (_, n) => utf8(`k${page * 200 + n}`));
        await generation.write(keys.map((key) => ({ key: encodeKey(scope, key), value: utf8(`${i}`) })));
      }
      await generation.activate({
        description: `swap ${i}`,
        rewind: { position: { storeId: 'x', seq: i, timeMs: 1 } },
      });
      say(`${i}`);
    }
  },
  async hold() {
    say('open');
    await new Promise((resolve) => setTimeout(resolve, 60_000));
  },
};

await works[work]();
