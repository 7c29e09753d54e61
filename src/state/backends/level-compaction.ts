import { setTimeout as delay } from 'node:timers/promises';

/** What LevelDB compacts by itself: level 0 from this many tables on, each other level from this size on, which grows tenfold from one to the next. */
const LEVEL_0_TABLES = 4;
const LEVEL_1_MIB = 10;
const LOOK_MS = 10;
/** Compacting is given as long as it takes several times over: far less than the writing itself took. */
const BYTES_PER_MS = 200 << 10;
const LONGEST_MS = 2000;

interface Properties {
  getProperty(name: string): string;
}

/**
 * Waits until LevelDB has nothing left to compact, at most in proportion to what was written. What a close interrupts the next open begins
 * anew, and so would every open after it that does not last as long.
 */
export async function settleCompaction(database: Properties, writtenBytes: number): Promise<void> {
  const until = performance.now() + Math.min(LONGEST_MS, writtenBytes / BYTES_PER_MS);
  while (isCompacting(database) && performance.now() < until) await delay(LOOK_MS);
}

/** By `leveldb.stats`: after three lines of heading, a line for each level with anything in it: its number, its tables, their size in MiB, … */
function isCompacting(database: Properties): boolean {
  const levels = database.getProperty('leveldb.stats').split('\n').slice(3);
  return levels.some((line) => {
    const [level = 0, tables = 0, sizeMib = 0] = line.trim().split(/\s+/).map(Number);
    return level === 0 ? tables >= LEVEL_0_TABLES : sizeMib > LEVEL_1_MIB * 10 ** (level - 1);
  });
}
