import { setTimeout as delay } from 'node:timers/promises';

/** Of the time that a page took. With two cores a script and the host have work for both, and a backup takes from them what it gets. */
const REST_SHARE = 1.5;
/** Short enough for an abort to be noticed at once. */
const LONGEST_REST_MS = 100;

const systemTime = { nowMs: () => performance.now(), rest: (ms: number): Promise<void> => delay(ms) };

/**
 * The same pages; after each during which somebody changed the state, a rest in proportion to the time it took, so that whoever writes
 * meanwhile is not slowed down by half. Where nobody writes there are no rests.
 *
 * @param lastChange the number of the last change accepted
 */
export async function* givingWay<T>(
  pages: AsyncIterable<T>,
  lastChange: () => number,
  { nowMs, rest } = systemTime,
): AsyncIterable<T> {
  let [seq, sinceMs] = [lastChange(), nowMs()];
  for await (const page of pages) {
    yield page;
    if (lastChange() !== seq) await rest(Math.min(LONGEST_REST_MS, REST_SHARE * (nowMs() - sinceMs)));
    [seq, sinceMs] = [lastChange(), nowMs()];
  }
}
