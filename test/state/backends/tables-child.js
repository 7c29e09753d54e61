// Run as a process of its own: loads a table, or clears it, and is killed at the given call. Runs on the build.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const [directory, work, call, when] = process.argv.slice(2);
const die = () => process.kill(process.pid, 'SIGKILL');
const isOfTables = (path) => String(path).includes('/tables/');
const { rename } = fs.promises;
const { unlink } = fs;
if (call === 'rename')
  fs.promises.rename = async (from, to) => {
    if (isOfTables(to) && when === 'before') die();
    await rename(from, to);
    if (isOfTables(to)) die();
  };
if (call === 'unlink')
  fs.unlink = (path, done) => {
    if (isOfTables(path) && when === 'before') die();
    unlink(path, isOfTables(path) ? die : done);
  };
syncBuiltinESMExports();

const { createLevelBackend } = await import('../../../dist/state/backends/level.js');
const { packPage } = await import('../../../dist/state/packed-page.js');
const backend = createLevelBackend({ directory });
await backend.open();
const bounds = { gte: Buffer.from('a'), lt: Buffer.from('b') };
async function* pages() {
  for (let i = 0; i < 20; i++)
    yield packPage(
      Array.from({ length: 100 }, (_, n) => {
        const key = Buffer.from(`a${String(i * 100 + n).padStart(4, '0')}`);
        return [key, Buffer.alloc(100, key)];
      }),
    );
}
if (work === 'load') await backend.load(bounds, pages());
else await backend.clearRange(bounds);
await backend.close();
process.stdout.write('done');
