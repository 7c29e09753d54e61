import { type ArchiveProblem, ArchiveScan } from './archive-scan.js';
import type { ArchiveInfo, ArchiveOptions, ArchiveSource } from './types.js';

/** More are counted and not kept, so that an archive that is damaged everywhere does not fill the memory. */
const MAX_PROBLEMS = 100;

export interface ArchiveVerification {
  /** Absent where header or footer cannot be read. */
  info: ArchiveInfo | undefined;
  /** Header, every frame and the whole file have the checksums they must have. */
  checksumValid: boolean;
  /** Everything decodes, is in order, and agrees with index and trailer. False without the key of an encrypted archive. */
  integrityValid: boolean;
  /** At most 100, in the order of the file. */
  problems: ArchiveProblem[];
  /** How many there were. */
  problemCount: number;
}

/**
 * Reads every byte of an archive and checks all that can be checked of it alone: magic, version, header, each frame's checksum, that each chunk
 * decrypts, decompresses and decodes, order and counts, the index, the trailer, the SHA-256 of the file. Damage never throws; `ABORTED` and
 * failures of the source do. `onProgress` counts bytes. The source stays open.
 */
export async function verifyArchive(source: ArchiveSource, options: ArchiveOptions = {}): Promise<ArchiveVerification> {
  const problems: ArchiveProblem[] = [];
  const kinds = new Set<ArchiveProblem['kind']>();
  let problemCount = 0;
  const scan = new ArchiveScan(source, options, false, (problem) => {
    problemCount++;
    kinds.add(problem.kind);
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  });
  for await (const _ of scan.run());
  return {
    info: scan.info,
    checksumValid: !kinds.has('checksum') && !kinds.has('version'),
    integrityValid: problemCount === 0,
    problems,
    problemCount,
  };
}
