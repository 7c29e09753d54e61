import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import type { ArchiveSink, BackupRepository } from '../backup/types.js';
import { utf8 } from '../util/bytes.js';
import type { DefineTest } from './backend-conformance.js';

export interface RepositorySuite {
  test: DefineTest;
  /** Two handles on one new, empty repository, as two processes have them. */
  createPair(): Promise<{ one: BackupRepository; other: BackupRepository }>;
}

const ID = '00112233445566aa';
const OTHER_ID = 'ffeeddccbbaa9988';

const writing = (text: string) => (sink: ArchiveSink) => sink.write(utf8(text));

async function contentOf(repository: BackupRepository, id: string): Promise<string> {
  const source = await repository.get(id);
  try {
    return Buffer.from(await source.read(0, source.sizeBytes)).toString();
  } finally {
    await source.close();
  }
}

const codeIs = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

/** Defines one test for each promise of {@link BackupRepository}. A repository is one when all pass. */
export function testBackupRepository({ test, createPair }: RepositorySuite): void {
  const promise = (name: string, check: (one: BackupRepository, other: BackupRepository) => Promise<void>) =>
    test(name, async () => {
      const { one, other } = await createPair();
      try {
        await check(one, other);
      } finally {
        await Promise.all([one.close(), other.close()]);
      }
    });

  promise('an empty repository lists nothing and finds nothing', async (one) => {
    deepEqual(await one.list(), []);
    await rejects(one.get(ID), codeIs('BACKUP_NOT_FOUND'));
    equal(await one.delete(ID), false);
    equal(await one.readNote('missing'), undefined);
  });

  promise(
    'what was put can be read at any offset, through any handle, and is listed with its size',
    async (one, other) => {
      const result = await one.put(ID, async (sink) => {
        await sink.write(utf8('hello '));
        await sink.write(utf8('world'));
        return 7;
      });
      equal(result, 7);
      equal(await contentOf(other, ID), 'hello world');
      const source = await other.get(ID);
      equal(Buffer.from(await source.read(6, 3)).toString(), 'wor');
      equal((await source.read(11, 0)).length, 0);
      await source.close();
      deepEqual(
        (await other.list()).map(({ id, sizeBytes }) => [id, sizeBytes]),
        [[ID, 11]],
      );
    },
  );

  promise('reading past the end is damage', async (one) => {
    await one.put(ID, writing('short'));
    const source = await one.get(ID);
    await rejects(source.read(3, 3), codeIs('BACKUP_DAMAGED'));
    await source.close();
  });

  promise('a put that fails leaves nothing, and passes the failure on', async (one, other) => {
    const failing = one.put(ID, async (sink) => {
      await sink.write(utf8('half'));
      throw new RangeError('enough');
    });
    await rejects(failing, RangeError);
    deepEqual(await other.list(), []);
    await one.put(ID, writing('whole'));
    equal(await contentOf(one, ID), 'whole');
  });

  promise('an archive is not shown before it is whole', async (one, other) => {
    await one.put(ID, async (sink) => {
      await sink.write(utf8('half'));
      deepEqual(await other.list(), []);
      await rejects(other.get(ID), codeIs('BACKUP_NOT_FOUND'));
    });
    equal((await other.list()).length, 1);
  });

  promise('an archive that is there is never replaced', async (one, other) => {
    await one.put(ID, writing('first'));
    await rejects(other.put(ID, writing('second')), codeIs('BACKUP_FAILED'));
    equal(await contentOf(one, ID), 'first');
  });

  promise('archives are replaced all together, or, where writing one fails, not at all', async (one, other) => {
    for (const id of [ID, OTHER_ID]) await one.put(id, writing('old'));
    const before = await one.list();
    const contents = async () => [await contentOf(other, ID), await contentOf(other, OTHER_ID)];
    const failing = one.exclusive(() =>
      one.replace([ID, OTHER_ID], async (id, sink) => {
        await sink.write(utf8('new'));
        if (id === OTHER_ID) throw new RangeError('enough');
      }),
    );
    await rejects(failing, RangeError);
    deepEqual([await other.list(), await contents()], [before, ['old', 'old']]);
    const replacing = one.exclusive(() =>
      one.replace([ID, OTHER_ID], async (id, sink) => {
        deepEqual(await contents(), ['old', 'old']);
        await sink.write(utf8(`new ${id}`));
        return id.length;
      }),
    );
    deepEqual(await replacing, [16, 16]);
    deepEqual(await contents(), [`new ${ID}`, `new ${OTHER_ID}`]);
    ok((await other.list()).every(({ version }, index) => version !== before[index]!.version));
  });

  promise('deleting removes one archive, and tells whether it was there', async (one, other) => {
    await one.put(ID, writing('a'));
    await one.put(OTHER_ID, writing('b'));
    equal(await other.delete(ID), true);
    equal(await other.delete(ID), false);
    deepEqual(
      (await one.list()).map(({ id }) => id),
      [OTHER_ID],
    );
  });

  promise(
    'the version of an archive stays as long as its bytes do, and is another one for other bytes',
    async (one) => {
      const version = async () => (await one.list())[0]!.version;
      await one.put(ID, writing('same size'));
      const before = await version();
      equal(await version(), before);
      await one.delete(ID);
      await one.put(ID, writing('SAME SIZE'));
      ok((await version()) !== before);
    },
  );

  promise('nothing but an id names an archive', async (one) => {
    for (const id of ['', '../../etc/passwd', '..', `${ID}/..`, `../${ID}`, ID.toUpperCase(), `${ID}0`, `${ID}\0`]) {
      await rejects(one.get(id), codeIs('BACKUP_ID_INVALID'), id);
      await rejects(one.put(id, writing('x')), codeIs('BACKUP_ID_INVALID'), id);
      await rejects(one.delete(id), codeIs('BACKUP_ID_INVALID'), id);
    }
    deepEqual(await one.list(), []);
  });

  promise('notes are written, replaced and removed whole, and are no archives', async (one, other) => {
    await one.writeNote('a-note', utf8('first'));
    await other.writeNote('a-note', utf8('2nd'));
    deepEqual(Buffer.from((await one.readNote('a-note'))!), Buffer.from('2nd'));
    deepEqual(await one.list(), []);
    await one.writeNote('a-note', null);
    equal(await other.readNote('a-note'), undefined);
    await one.writeNote('a-note', null);
  });

  promise(
    'exclusive work runs one at a time, also through another handle, and gives its result or its error',
    async (one, other) => {
      let running = 0;
      const work = async () => {
        equal(++running, 1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
      };
      await Promise.all([one, other, one, other].map((repository) => repository.exclusive(work)));
      equal(await one.exclusive(async () => 42), 42);
      await rejects(
        one.exclusive(() => Promise.reject(new RangeError('no'))),
        RangeError,
      );
      equal(await other.exclusive(async () => 43), 43);
    },
  );
}
