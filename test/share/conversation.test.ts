import { once } from 'node:events';
import { chmod, mkdir, stat } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { Connection } from '../../src/share/connection.js';
import { MAGIC, PROTOCOL_VERSION } from '../../src/share/protocol.js';
import { openShared } from '../../src/share/shared-store.js';
import { createLevelBackend } from '../../src/state/backends/level.js';
import { openStore } from '../../src/state/store.js';
import type { StateStore } from '../../src/state/types.js';
import { utf8 } from '../../src/util/bytes.js';
import { thisProcess } from '../../src/util/process-identity.js';
import { dumpLive, openSharedForTest, put, read } from '../state/stores.js';
import { temporaryDirectory } from '../state/temporary.js';

const stateDirectory = async () => join(await temporaryDirectory(), 'state');
const socketOf = (directory: string) => join(directory, 'share/socket');
const k = utf8('k');
const s = utf8('s');

/** A holder that can be reached. */
async function openHolder(directory: string): Promise<StateStore> {
  const holder = await openSharedForTest(directory);
  await vi.waitFor(() => stat(socketOf(directory)), { timeout: 10_000 });
  return holder;
}

/** A guest of our own making, which says what it is told to say. */
async function visit(directory: string, { id = 'odd' } = {}) {
  const socket = connect(socketOf(directory));
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const messages: unknown[][] = [];
  const ended = deferred();
  const connection = new Connection(
    socket,
    { message: (message) => messages.push(message as unknown[]), ended: ended.resolve },
    false,
  );
  const heard = (kind: string) =>
    vi.waitUntil(() => messages.find(([first]) => first === kind), { timeout: 10_000, interval: 5 });
  connection.send([MAGIC, PROTOCOL_VERSION, { id, process: thisProcess(), durability: 'interval' }]);
  return { socket, connection, messages, heard, ended: ended.promise };
}

function deferred() {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

async function send(directory: string, bytes: Uint8Array): Promise<void> {
  const socket = connect(socketOf(directory));
  socket.resume().on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
}

test('a holder survives what is no message, and whoever sends it is sent away', async () => {
  const directory = await stateDirectory();
  const holder = await openHolder(directory);
  const guest = await openSharedForTest(directory);
  const frame = (...body: number[]) => Uint8Array.of(0, 0, 0, body.length, ...body);
  for (const bytes of [
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x90),
    frame(0xc1),
    frame(0xdd, 0xff, 0xff, 0xff, 0xff),
    frame(0xc0),
    frame(0x93, 0xc0, 0xc0, 0xc0),
  ])
    await send(directory, bytes);
  const odd = await visit(directory);
  odd.connection.send(['no such operation', 1, 1]);
  expect(await odd.heard('error')).toMatchObject(['error', 1, { code: 'INTERNAL' }]);
  odd.connection.send(['seen', 0, 99]);
  await odd.ended;
  const half = await visit(directory);
  half.socket.write(Uint8Array.of(0, 0, 1, 0, 0x93));
  half.socket.destroy();
  await put(guest, 'k', 'v');
  expect(await read(holder, 'k')).toBe('v');
});

test('what is asked again over another connection takes effect once', async () => {
  const directory = await stateDirectory();
  const holder = await openHolder(directory);
  const ask = async () => {
    const guest = await visit(directory, { id: 'again' });
    guest.connection.send(['increment', 7, 7, s, k, Uint8Array.of(5)]);
    const [, , sum] = await guest.heard('ok');
    guest.socket.destroy();
    return Buffer.from(sum as Uint8Array).at(-1);
  };
  expect([await ask(), await ask(), await ask()]).toEqual([5, 5, 5]);
  expect((await holder.history(s, k)).length).toBe(1);
  // The next holder knows it, too.
  await holder.close();
  await openHolder(directory);
  expect(await ask()).toBe(5);
});

test('a guest that vanishes while it builds a state leaves nothing of it, and holds nobody up', async () => {
  const directory = await stateDirectory();
  const holder = await openHolder(directory);
  await put(holder, 'k', 'v');
  const guest = await visit(directory);
  guest.connection.send(['generation.open', 1, 1]);
  const [, , handle] = await guest.heard('ok');
  guest.connection.send(['generation.write', 2, 2, handle, [utf8('s\0\x01x'), utf8('y')]]);
  guest.connection.send(['snapshot.open', 3, 3]);
  await vi.waitUntil(() => guest.messages.length === 4);
  guest.socket.destroy();
  const other = await openSharedForTest(directory);
  const generation = await other.newGeneration();
  await generation.write([{ key: utf8('s\0\x01z'), value: utf8('w') }]);
  await generation.activate({ description: 'x', rewind: { position: holder.position() } });
  expect(await dumpLive(holder)).toEqual(['s/z=w']);
});

test('a guest that does not answer holds the others up for its patience only', async () => {
  const directory = await stateDirectory();
  const holder = await openHolder(directory);
  const guest = await visit(directory);
  guest.connection.send(['watch', 0, 1]);
  guest.connection.send(['get', 1, 1, s, k]);
  await guest.heard('ok');
  const written = put(holder, 'k', 'v');
  expect(await guest.heard('changed')).toEqual(['changed', 0, 1, 0]);
  await written;
  await guest.ended;
  // Told once: it has asked nothing since.
  expect(guest.messages.filter(([kind]) => kind === 'changed').length).toBe(1);
});

test('a guest that reads slowly is not listened to meanwhile', async () => {
  const directory = await stateDirectory();
  let gets = 0;
  const holder = await openShared({
    directory,
    openStore: async () => {
      const store = await openStore(createLevelBackend({ directory }));
      const get = store.get.bind(store);
      store.get = (...args) => {
        gets++;
        return get(...args);
      };
      return store;
    },
    durability: 'interval',
    maxValueBytes: 10_000_000,
    readOnly: false,
    timeoutMs: 0,
    isWanted: () => true,
  });
  onTestFinished(() => holder.close());
  await vi.waitFor(() => stat(socketOf(directory)), { timeout: 10_000 });
  await holder.write([{ scope: s, key: k, value: new Uint8Array(1_000_000).fill(0xc0) }]);
  const slow = await visit(directory);
  await slow.heard(MAGIC);
  slow.socket.pause();
  const most = 120;
  for (let id = 1; id <= most; id++) slow.connection.send(['get', id, id, s, k]);
  const other = await openSharedForTest(directory);
  for (let i = 0; i < 50; i++) await other.rollbackPoints();
  expect(gets).toBeLessThan(most / 2);
  slow.socket.resume();
  await vi.waitUntil(() => slow.messages.length > most, { timeout: 20_000 });
  expect(gets).toBeGreaterThanOrEqual(most);
});

test('a holder of another version is waited for, and named', async () => {
  const directory = await stateDirectory();
  const backend = createLevelBackend({ directory });
  await backend.open();
  onTestFinished(() => backend.close());
  await mkdir(join(directory, 'share'), { mode: 0o700 });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const greet = new Connection(socket, { message: () => {}, ended: () => {} }, true);
    greet.send([MAGIC, PROTOCOL_VERSION + 1, { pid: 1, something: 'new' }]);
  });
  server.listen(socketOf(directory));
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  await chmod(socketOf(directory), 0o600);
  await expect(
    openShared({
      directory,
      openStore: () => openStore(createLevelBackend({ directory })),
      durability: 'interval',
      maxValueBytes: 1000,
      readOnly: false,
      timeoutMs: 100,
      isWanted: () => true,
    }),
  ).rejects.toMatchObject({
    code: 'STATE_LOCKED',
    message: expect.stringMatching(/process \d+, which is another version of llmspell\./),
  });
  expect(sockets.size).toBeGreaterThan(0);
});
