import { LlmspellError } from '../errors.js';
import { asBuffer } from '../util/bytes.js';
import {
  Damage,
  decodeFooter,
  decodeFrameHeader,
  decodeHeader,
  FOOTER_BYTES,
  type Footer,
  FRAME_HEADER_BYTES,
  type FrameType,
  frameName,
  headerLength,
  namingDamage,
  PREAMBLE_BYTES,
} from './archive-format.js';
import { FrameBox } from './archive-frames.js';
import {
  type ArchiveDetails,
  type ArchiveHeader,
  type ArchiveTrailer,
  decodeDetails,
  decodeHeaderJson,
  decodeTrailer,
  infoOf,
} from './archive-metadata.js';
import { codecOf } from './compression.js';
import { archiveKeyFor, frameCipher } from './encryption.js';
import { HeldEnds } from './held-ends.js';
import type { ArchiveInfo, ArchiveOptions, ArchiveSource, EncryptionKey } from './types.js';

/** What stands in the clear at both ends of an archive. */
export interface Ends {
  head: Buffer;
  header: ArchiveHeader;
  footer: Footer;
}

/** Both ends, opened with the key where there is one. */
export interface OpenedEnds {
  info: ArchiveInfo;
  box: FrameBox;
  details: ArchiveDetails;
  trailer: ArchiveTrailer;
  /** Where the first chunk begins, or would. */
  chunksOffset: number;
  trailerOffset: number;
  trailerOrdinal: number;
}

/**
 * What a list needs, read without any entry: in an encrypted archive and with no key or another one, what is not encrypted (`sealed`).
 * Throws `BACKUP_DAMAGED` and `BACKUP_VERSION`. Checks header, details, trailer and footer, nothing between.
 */
export function readArchiveInfo(source: ArchiveSource, options: ArchiveOptions = {}): Promise<ArchiveInfo> {
  return namingDamage(source.name, async () => {
    const held = new HeldEnds(source);
    const ends = await readEnds(held);
    try {
      return (await openEnds(held, ends, options.key)).info;
    } catch (error) {
      if (!(error instanceof LlmspellError && error.code === 'BACKUP_KEY')) throw error;
      return infoOf(ends.header, undefined, fileOf(source, ends.footer));
    }
  });
}

export async function readEnds(source: ArchiveSource): Promise<Ends> {
  return { ...(await readHeader(source)), footer: await readFooter(source) };
}

export async function readHeader(source: ArchiveSource): Promise<Omit<Ends, 'footer'>> {
  const head = await readHead(source);
  return { head, header: decodeHeaderJson(decodeHeader(head, source.name)) };
}

async function readHead(source: ArchiveSource): Promise<Buffer> {
  if (source.sizeBytes < PREAMBLE_BYTES + FOOTER_BYTES) throw new Damage(`it has only ${source.sizeBytes} bytes`);
  const length = headerLength(asBuffer(await source.read(0, PREAMBLE_BYTES)));
  if (length > source.sizeBytes) throw new Damage('its header is cut short');
  return asBuffer(await source.read(0, length));
}

export async function readFooter(source: ArchiveSource): Promise<Footer> {
  const at = source.sizeBytes - FOOTER_BYTES;
  const footer = decodeFooter(asBuffer(await source.read(at, FOOTER_BYTES)));
  if (footer.trailerOffset + footer.trailerBytes !== at) throw new Damage('its footer does not follow its trailer');
  return footer;
}

/** Throws `BACKUP_KEY` where the archive is encrypted and the key is absent or another one. */
export async function boxOf(
  { head, header }: Omit<Ends, 'footer'>,
  key: EncryptionKey | undefined,
  name: string,
): Promise<FrameBox> {
  const { encryption, compression } = header;
  const cipher = encryption && frameCipher(await archiveKeyFor(encryption, key, name), head);
  return new FrameBox(() => codecOf(compression), cipher);
}

/** Throws as {@link boxOf}, and {@link Damage}. */
export async function openEnds(source: ArchiveSource, ends: Ends, key: EncryptionKey | undefined): Promise<OpenedEnds> {
  const { head, header, footer } = ends;
  const box = await boxOf(ends, key, source.name);
  const detailsFrame = await readFrame(source, head.length, 'D');
  const details = decodeDetails(await box.open(detailsFrame.bytes, 'D', 0));
  const trailerFrame = await readFrame(source, footer.trailerOffset, 'T');
  const trailer = decodeTrailer(await box.open(trailerFrame.bytes, 'T', trailerFrame.ordinal));
  if ((details.from === undefined) !== (header.parent === undefined))
    throw new Damage('its header and its details do not agree on what it rests on');
  return {
    info: infoOf(header, { details, trailer }, fileOf(source, footer)),
    box,
    details,
    trailer,
    chunksOffset: head.length + detailsFrame.bytes.length,
    trailerOffset: footer.trailerOffset,
    trailerOrdinal: trailerFrame.ordinal,
  };
}

export const fileOf = (source: ArchiveSource, footer: Footer) => ({
  sizeBytes: source.sizeBytes,
  sha256: footer.sha256.toString('hex'),
});

/** The whole frame that begins at `offset`; not yet checked but for its header. */
export async function readFrame(
  source: ArchiveSource,
  offset: number,
  type: FrameType,
): Promise<{ bytes: Buffer; ordinal: number }> {
  const isWithin = (bytes: number) => offset + bytes <= source.sizeBytes - FOOTER_BYTES;
  const header = isWithin(FRAME_HEADER_BYTES)
    ? decodeFrameHeader(asBuffer(await source.read(offset, FRAME_HEADER_BYTES)))
    : undefined;
  const bytes = FRAME_HEADER_BYTES + (header?.payloadBytes ?? 0);
  if (header?.type !== type || !isWithin(bytes))
    throw new Damage(`there is no ${frameName(type, 0)} where one must be`);
  return { bytes: asBuffer(await source.read(offset, bytes)), ordinal: header.ordinal };
}
