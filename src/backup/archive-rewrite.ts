import { openArchive } from './archive-reader.js';
import { createArchiveWriter } from './archive-writer.js';
import type {
  ArchiveInfo,
  ArchiveOptions,
  ArchiveSink,
  ArchiveSource,
  ArchiveStart,
  CompressionSetting,
  EncryptionKey,
} from './types.js';

export interface RewriteOptions extends ArchiveOptions {
  /** Of the new archive; not encrypted where absent. `key` is that of the old one. */
  newKey?: EncryptionKey;
  /** Default: as in the old one. */
  compression?: CompressionSetting;
  /** Default: as in the old one. */
  id?: string;
  /** SHA-256 of the parent's file where that has been written again too, hexadecimal. */
  parentSha256?: string;
}

/**
 * The same archive under another key, or none, or compressed otherwise: same id, moment and records, another SHA-256. The archives that rest
 * on it must be written again as well, with its new digest as `parentSha256`, from the full one upwards. The source stays open.
 */
export async function rewriteArchive(
  source: ArchiveSource,
  sink: ArchiveSink,
  options: RewriteOptions = {},
): Promise<ArchiveInfo> {
  const { newKey, signal } = options;
  const reader = await openArchive(source, options);
  const writer = await createArchiveWriter(sink, startOf(reader.info, options), {
    ...(newKey && { key: newKey }),
    ...(signal && { signal }),
  });
  if (reader.info.parent) for await (const page of reader.changes()) await writer.changes(page);
  else for await (const page of reader.entries()) await writer.entries(page);
  return writer.finish({ entryCount: reader.info.entryCount });
}

function startOf(info: ArchiveInfo, { id, compression, parentSha256 }: RewriteOptions): ArchiveStart {
  const parent = info.parent && { ...info.parent, sha256: parentSha256 ?? info.parent.sha256 };
  return { ...info, id: id ?? info.id, ...(parent && { parent }), compression: compression ?? info.compression };
}
