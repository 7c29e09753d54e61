import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import {
  BODY_HEADER_BYTES,
  Damage,
  decodeFrame,
  encodeFrame,
  type FrameType,
  frameName,
  MAX_RAW_BYTES,
} from './archive-format.js';
import type { Codec } from './compression.js';
import type { FrameCipher } from './encryption.js';

const STORED = 0;
const COMPRESSED = 1;

/** Makes frames of one archive from their contents, and the other way round. */
export class FrameBox {
  readonly #codec: () => Codec;
  readonly #cipher: FrameCipher | undefined;

  /** The codec is asked for when it is first needed: details and trailer are never compressed, so a list loads no native module. */
  constructor(codec: () => Codec, cipher?: FrameCipher) {
    this.#codec = codec;
    this.#cipher = cipher;
  }

  /** Compressed if that makes it smaller, then encrypted, then checksummed. */
  async seal(type: FrameType, ordinal: number, raw: Bytes): Promise<Buffer> {
    if (raw.length > MAX_RAW_BYTES)
      throw new LlmspellError(
        'BACKUP_FAILED',
        `The ${frameName(type, ordinal)} of a backup would have ${raw.length} bytes.`,
        {
          hint: `At most ${MAX_RAW_BYTES} are possible: shorten description and tags.`,
        },
      );
    const packed = isPacked(type) ? await this.#codec().compress(raw) : raw;
    const compressed = packed.length < raw.length;
    const head = Buffer.alloc(BODY_HEADER_BYTES);
    head.writeUInt8(compressed ? COMPRESSED : STORED);
    head.writeUInt32LE(raw.length, 1);
    const body = [head, compressed ? packed : raw];
    return encodeFrame(type, ordinal, this.#cipher ? this.#cipher.seal(type, ordinal, body) : body);
  }

  /** The content of the frame that `bytes` are. Throws {@link Damage}. */
  open(bytes: Buffer, type: FrameType, ordinal: number): Promise<Bytes> {
    return this.openPayload(decodeFrame(bytes, type, ordinal), type, ordinal);
  }

  /** The content of a frame whose checksums have been verified. Throws {@link Damage}. */
  async openPayload(payload: Bytes, type: FrameType, ordinal: number): Promise<Bytes> {
    return this.#unpack(this.#cipher ? this.#cipher.open(type, ordinal, payload) : payload, frameName(type, ordinal));
  }

  async #unpack(body: Bytes, what: string): Promise<Bytes> {
    const { storage, rawBytes } = bodyHead(body, what);
    const packed = body.subarray(BODY_HEADER_BYTES);
    const raw = storage === STORED ? packed : await this.#decompress(packed, rawBytes, what);
    if (raw.length !== rawBytes) throw new Damage(`its ${what} has ${raw.length} bytes instead of ${rawBytes}`);
    return raw;
  }

  async #decompress(packed: Bytes, rawBytes: number, what: string): Promise<Bytes> {
    const codec = this.#codec();
    try {
      return await codec.decompress(packed, rawBytes);
    } catch (error) {
      throw new Damage(`its ${what} does not decompress (${error instanceof Error ? error.message : error})`);
    }
  }
}

const isPacked = (type: FrameType) => type === 'C' || type === 'I';

function bodyHead(body: Bytes, what: string): { storage: number; rawBytes: number } {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const storage = body[0] ?? -1;
  if (body.length < BODY_HEADER_BYTES || (storage !== STORED && storage !== COMPRESSED))
    throw new Damage(`its ${what} is stored in a way that there is not`);
  const rawBytes = view.getUint32(1, true);
  if (rawBytes > MAX_RAW_BYTES) throw new Damage(`its ${what} claims ${rawBytes} bytes`);
  return { storage, rawBytes };
}
