/** Where the time comes from; tests hand in their own. Milliseconds since 1970, UTC. */
export interface Clock {
  nowMs(): number;
}

export const systemClock: Clock = { nowMs: () => Date.now() };

/** A clock that never goes back: where the source does, it repeats the latest time it gave. */
export function monotonicClock(source: Clock, floorMs = 0): Clock & { raise(toMs: number): void } {
  let lastMs = floorMs;
  return {
    nowMs: () => {
      lastMs = Math.max(lastMs, source.nowMs());
      return lastMs;
    },
    raise: (toMs) => {
      lastMs = Math.max(lastMs, toMs);
    },
  };
}
