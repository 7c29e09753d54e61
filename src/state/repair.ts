import { existsSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LlmspellError } from '../errors.js';
import { TEMPORARY_MARK } from '../util/atomic-write.js';
import { randomHex } from '../util/hash.js';
import type { BackendOperation, BackendView, StateBackend } from './backend.js';
import { createLevelBackend, repairLevelFiles } from './backends/level.js';
import { type Documents, liveTimeline, newDocuments, putDocuments, readDocuments } from './catalog.js';
import { historyProblems } from './check.js';
import {
  allOf,
  concat,
  generationOf,
  generationPrefix,
  nameOfEntry,
  PREFIX_BYTES,
  USER_TABLE,
  unseal,
} from './layout.js';

export interface StateRepair {
  /** Entries in the new state. */
  rescued: number;
  /** Entries that are there but cannot be trusted. */
  lost: number;
  /** What could not be rescued, as far as it is known: one sentence each, the first thousand. */
  problems: string[];
}

const MAX_LISTED = 1000;

/**
 * Rescues what can be read of a damaged state into a new one at `target`, which must not be there; the old one stays as it is.
 * The present entries and the documents of `setMeta` are carried over, the history and the rollback points are not. Works on a
 * copy, through LevelDB's own repair, so it needs room for two more states. Throws `STATE_LOCKED` where the state is in use.
 */
export async function repairState(directory: string, target: string): Promise<StateRepair> {
  if (existsSync(target))
    throw new LlmspellError('USAGE', `${target} is there already; the rescued state needs a new place.`, {
      subject: target,
    });
  await assertUnused(directory);
  const copy = `${target}${TEMPORARY_MARK}${randomHex(4)}`;
  try {
    await cp(join(directory, 'db'), join(copy, 'db'), { recursive: true });
    const tables = join(directory, 'tables');
    if (existsSync(tables)) await cp(tables, join(copy, 'tables'), { recursive: true });
    await repairLevelFiles(copy);
    const damage = new Set<string>();
    const from = createLevelBackend({
      directory: copy,
      // The copy is not there any more when somebody reads of it.
      onDamage: (problem) => damage.add(problem.replaceAll(copy, directory)),
    });
    await from.open();
    try {
      const repair = await rescueInto(createLevelBackend({ directory: target }), from);
      return { ...repair, problems: [...damage, ...repair.problems].slice(0, MAX_LISTED) };
    } finally {
      await from.close();
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** A damaged state cannot be opened; one that can is not in use either. */
async function assertUnused(directory: string): Promise<void> {
  const backend = createLevelBackend({ directory });
  try {
    await backend.open();
  } catch (error) {
    if (!(error instanceof LlmspellError) || error.code !== 'STATE_DAMAGED') throw error;
  } finally {
    await backend.close();
  }
}

async function rescueInto(to: StateBackend, from: BackendView): Promise<StateRepair> {
  await to.open();
  try {
    const rescue = new Rescue(to, from);
    return await rescue.run();
  } finally {
    await to.close();
  }
}

class Rescue {
  readonly #to: StateBackend;
  readonly #from: BackendView;
  readonly #result: StateRepair = { rescued: 0, lost: 0, problems: [] };
  readonly #documents = newDocuments();

  constructor(to: StateBackend, from: BackendView) {
    this.#to = to;
    this.#from = from;
  }

  async run(): Promise<StateRepair> {
    const old = await this.#oldDocuments();
    const generation = old === undefined ? await this.#newestGeneration() : liveTimeline(old.catalog).generation;
    const schemaVersion = old?.catalog.schemaMarks?.at(-1)?.version;
    await this.#entries(generationPrefix(generation), old?.head.seq ?? 0, schemaVersion);
    // A table that is gone leaves no trace but this.
    if (old !== undefined) for (const problem of await historyProblems(this.#from, old)) this.#report(problem);
    for await (const page of this.#from.iterate(USER_TABLE))
      await this.#to.commit({ operations: page.map(toPut) }, { sync: false });
    await this.#to.commit({ operations: putDocuments(this.#documents) }, { sync: true });
    return this.#result;
  }

  async #oldDocuments(): Promise<Documents | undefined> {
    try {
      return await readDocuments(this.#from);
    } catch (error) {
      this.#report(`${(error as Error).message} The newest generation of entries was taken for the present one.`);
      return undefined;
    }
  }

  /** By their numbers; 1 where there is none. */
  async #newestGeneration(): Promise<number> {
    for await (const page of this.#from.iterate(ANY_GENERATION)) return generationOf(page[0]![0]);
    return 1;
  }

  /** The new store goes on from the newest change that is known of, without any history before it. */
  async #entries(prefix: Uint8Array, headSeq: number, schemaVersion: string | undefined): Promise<void> {
    const { catalog, head, horizon } = this.#documents;
    const timeline = liveTimeline(catalog);
    head.seq = headSeq;
    for await (const page of this.#from.iterate(allOf(prefix))) {
      const operations: BackendOperation[] = [];
      for (const [key, value] of page) {
        const raw = key.subarray(PREFIX_BYTES);
        const entry = unseal(raw, value);
        if (entry === undefined) {
          this.#result.lost++;
          this.#report(`The stored value of ${nameOfEntry(raw)} is damaged.`);
          continue;
        }
        head.seq = Math.max(head.seq, entry.seq);
        operations.push({ type: 'put', key: concat(generationPrefix(timeline.generation), raw), value });
      }
      this.#result.rescued += operations.length;
      await this.#to.commit({ operations }, { sync: false });
    }
    if (schemaVersion !== undefined) catalog.schemaMarks = [{ seq: 0, version: schemaVersion }];
    head.timeMs = Date.now();
    horizon.seq = head.seq;
    horizon.timeMs = head.timeMs;
    timeline.startSeq = head.seq;
    timeline.startTimeMs = head.timeMs;
  }

  #report(problem: string): void {
    if (this.#result.problems.length < MAX_LISTED) this.#result.problems.push(problem);
  }
}

const ANY_GENERATION = {
  gte: generationPrefix(0),
  lt: generationPrefix(0xffffffff),
  reverse: true,
  limit: 1,
  keysOnly: true,
};

const toPut = ([key, value]: readonly [Uint8Array, Uint8Array]): BackendOperation => ({ type: 'put', key, value });
