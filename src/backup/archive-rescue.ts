import { type ArchiveRecord, arrayOf } from './archive-contents.js';
import { type ArchiveProblem, ArchiveScan } from './archive-scan.js';
import type { ArchiveOptions, ArchiveSource } from './types.js';

/** What is still readable of one archive, piece by piece, and what is not. */
export type Rescued = { records: readonly ArchiveRecord[] } | { problem: ArchiveProblem };

/**
 * Everything in an archive that can still be read, and every problem, in the order of the file. Records handed out are right: the
 * checksum of their chunk fits (and they are authentic, where the archive is encrypted). Lost are the records of damaged chunks. Where the header is damaged, nothing
 * can be read. Entries or changes, as the archive has them. `onProgress` counts bytes. Throws as `verifyArchive` does.
 */
export async function* rescueArchive(source: ArchiveSource, options: ArchiveOptions = {}): AsyncGenerator<Rescued> {
  let problems: ArchiveProblem[] = [];
  const told = function* () {
    for (const problem of problems) yield { problem };
    problems = [];
  };
  for await (const page of new ArchiveScan(source, options, true, (problem) => problems.push(problem)).run()) {
    yield* told();
    yield { records: arrayOf(page) };
  }
  yield* told();
}
