import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import type { CompressionSetting, CompressionType } from '../config/compression-levels.js';
import { checkCompression } from '../config/compression-levels.js';
import { LlmspellError } from '../errors.js';
import type { Bytes } from '../util/bytes.js';
import { assertZstdSize } from './zstd-frame.js';

/** Chunks compressed at once: as many as libuv's pool has threads. */
const CHUNKS_PACKED_AT_ONCE = 4;
/** Unpacking is never what is waited for; more at once takes a restore 40 MiB more of memory and no less time. */
export const CHUNKS_READ_AT_ONCE = 2;

/** Compresses blocks of bytes, each on its own, on other threads (libuv's pool). */
export interface Codec {
  /** How many blocks may be compressed at once, so that memory stays bounded. */
  readonly inFlight: number;
  compress(raw: Bytes): Promise<Bytes>;
  /** The `rawLength` bytes again. Allocates no more than about that, whatever the bytes say. Fails where they are damaged, if the codec notices. */
  decompress(packed: Bytes, rawLength: number): Promise<Bytes>;
}

/** The codec of an archive. Throws `CONFIG_INVALID` for a level out of range and `BACKUP_FAILED` where a native module does not load. */
export function codecOf(setting: CompressionSetting): Codec {
  checkCompression(setting);
  return FACTORIES[setting.type](setting.level);
}

const FACTORIES: Readonly<Record<CompressionType, (level: number) => Codec>> = { zstd, gzip, lz4, brotli, none };

const deflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gzip);
const inflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip);
const brotliCompress = promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliCompress);
const brotliDecompress = promisify<zlib.InputType, zlib.BrotliOptions, Buffer>(zlib.brotliDecompress);

/** One output buffer of the right size instead of many of 16 KiB: unpacking is three times as fast. */
const unpackOptions = (rawLength: number) => ({ maxOutputLength: rawLength, chunkSize: Math.max(64, rawLength) });

function gzip(level: number): Codec {
  return {
    inFlight: CHUNKS_PACKED_AT_ONCE,
    compress: (raw) => deflate(raw, { level, chunkSize: 256 * 1024 }),
    decompress: (packed, rawLength) => inflate(packed, unpackOptions(rawLength)),
  };
}

function brotli(level: number): Codec {
  const compressOptions = (raw: Bytes) => ({
    chunkSize: 256 * 1024,
    params: { [zlib.constants.BROTLI_PARAM_QUALITY]: level, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: raw.length },
  });
  return {
    inFlight: CHUNKS_PACKED_AT_ONCE,
    compress: (raw) => brotliCompress(raw, compressOptions(raw)),
    decompress: (packed, rawLength) => brotliDecompress(packed, unpackOptions(rawLength)),
  };
}

function none(): Codec {
  return { inFlight: CHUNKS_PACKED_AT_ONCE, compress: async (raw) => raw, decompress: async (packed) => packed };
}

interface ZstdModule {
  compress(data: Bytes, level: number): Promise<Buffer>;
  decompress(data: Bytes): Promise<Buffer>;
}

function zstd(level: number): Codec {
  // The package's own index.js drops the level; its bindings take it.
  const module = native<ZstdModule>('zstd', () => require('@mongodb-js/zstd/bindings.js'));
  // Levels above 19 differ in windows larger than a chunk: 2.6 GiB for four chunks at 22, and 0.03 % of the size. From 17 on one chunk takes 80 MiB.
  const effective = Math.min(level, 19);
  return {
    inFlight: effective < 17 ? CHUNKS_PACKED_AT_ONCE : 1,
    compress: (raw) => module.compress(raw, effective),
    async decompress(packed, rawLength) {
      assertZstdSize(packed, rawLength);
      return module.decompress(packed);
    },
  };
}

interface Lz4Module {
  compress(data: Bytes): Promise<Buffer>;
  uncompress(data: Bytes): Promise<Buffer>;
}

function lz4(): Codec {
  const module = native<Lz4Module>('lz4', () => require('lz4-napi'));
  return {
    inFlight: CHUNKS_PACKED_AT_ONCE,
    compress: (raw) => module.compress(raw),
    async decompress(packed, rawLength) {
      // The block begins with its unpacked size, and the module allocates whatever it says.
      if (packed.length < 4 || Buffer.from(packed.buffer, packed.byteOffset, 4).readUInt32LE() !== rawLength)
        throw new Error(`the lz4 block does not say that it holds ${rawLength} bytes`);
      return module.uncompress(packed);
    },
  };
}

const require = createRequire(import.meta.url);

/** Loaded when an archive needs it and not before: the start of a script does not wait for it. */
function native<T>(name: string, load: () => T): T {
  try {
    return load();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new LlmspellError('BACKUP_FAILED', `The ${name} module does not load on this machine: ${reason}.`, {
      hint: 'Install the package again for this platform, or set `compression_type = "gzip"`.',
      cause,
    });
  }
}
