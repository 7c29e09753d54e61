import { chmod, mkdtemp, rm, stat, symlink } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDirectory } from '../util/make-directory.js';

/** What an address of a Unix socket may take, without its end: 107 bytes on Linux, 103 on macOS. */
const MOST_PATH_BYTES = 103;
const NAME = 'socket';

const directoryOf = (stateDirectory: string): string => join(stateDirectory, 'share');
const socketOf = (stateDirectory: string): string => join(directoryOf(stateDirectory), NAME);

/**
 * Listens beside the state; for its holder only, who thereby replaces what a killed one left. The place is there for the owner alone
 * from the first moment. Rejects with the system's error where there can be no socket.
 */
export async function listen(stateDirectory: string, onSocket: (socket: Socket) => void): Promise<Server> {
  const directory = directoryOf(stateDirectory);
  await makeDirectory(directory, 0o700);
  await chmod(directory, 0o700);
  await removeSocket(stateDirectory);
  const { createServer } = await import('node:net');
  const server = createServer({ allowHalfOpen: true }, onSocket);
  await withAddress(stateDirectory, (path) => settled(server, 'listening', () => server.listen(path)));
  await chmod(socketOf(stateDirectory), 0o600);
  // A failed accept (too many open files) concerns the one who knocked, who finds the lock held and tries again.
  server.on('error', () => undefined);
  return server;
}

/** For the holder only. */
export async function removeSocket(stateDirectory: string): Promise<void> {
  await rm(socketOf(stateDirectory), { force: true });
}

/** A connection to whoever holds the state, or undefined where nobody answers. */
export async function connect(stateDirectory: string): Promise<Socket | undefined> {
  const { Socket } = await import('node:net');
  const socket = new Socket({ allowHalfOpen: true });
  try {
    await withAddress(stateDirectory, (path) => settled(socket, 'connect', () => socket.connect(path)));
    return socket;
  } catch {
    socket.destroy();
    return undefined;
  }
}

/** Whether it is worth trying {@link connect}. */
export async function hasSocket(stateDirectory: string): Promise<boolean> {
  return await stat(socketOf(stateDirectory)).then(
    (file) => file.isSocket(),
    () => false,
  );
}

/** Calls `use` with a path of the socket that is short enough for an address: where its own is not, through a link that only we can see. */
async function withAddress<T>(stateDirectory: string, use: (path: string) => Promise<T>): Promise<T> {
  const path = socketOf(stateDirectory);
  if (Buffer.byteLength(path) <= MOST_PATH_BYTES) return await use(path);
  const own = await mkdtemp(join(await shortDirectory(), 'llmspell-'));
  try {
    await symlink(directoryOf(stateDirectory), join(own, 's'));
    return await use(join(own, 's', NAME));
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

const ADDED_BYTES = '/llmspell-XXXXXX/s/socket'.length;
const shortDirectory = async (): Promise<string> =>
  Buffer.byteLength(tmpdir()) + ADDED_BYTES <= MOST_PATH_BYTES ? tmpdir() : '/tmp';

async function settled(emitter: Server | Socket, event: string, begin: () => void): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    emitter.once('error', reject);
    emitter.once(event, () => {
      emitter.off('error', reject);
      resolve();
    });
    begin();
  });
}
