/** The candidate that `name` was probably meant to be, or undefined: one that it begins, or one at most a third of its length away. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = begins(name, candidate) ? 1 : editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

const begins = (name: string, candidate: string): boolean =>
  name.length >= 4 && candidate.toLowerCase().startsWith(name.toLowerCase());

/** Insertions, deletions, replacements and swaps of neighbours (the optimal string alignment distance). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, replaced);
      if (a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j]!, beforePrevious[j - 2]! + 1);
    }
    [beforePrevious, previous] = [previous, row];
  }
  return previous[b.length]!;
}
