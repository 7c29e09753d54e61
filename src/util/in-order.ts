/** Runs `work` on up to `inFlight` items at once and yields the results in the order of the items. The first failure ends it. */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  inFlight: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  for await (const item of items) {
    const result = work(item);
    // Whoever stops early leaves results behind; their failures must not end the process.
    result.catch(() => undefined);
    running.push(result);
    if (running.length >= inFlight) yield await running.shift()!;
  }
  while (running.length > 0) yield await running.shift()!;
}
