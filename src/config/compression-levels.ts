import { LlmspellError } from '../errors.js';

export const CODECS = ['zstd', 'gzip', 'lz4', 'brotli', 'none'] as const;
export type CompressionType = (typeof CODECS)[number];

export interface CompressionSetting {
  type: CompressionType;
  /** zstd 1–22, gzip 1–9, brotli 0–11, lz4 and none: ignored. */
  level: number;
}

/** The levels that each codec has, both ends included; `undefined` where it has none and the number is ignored. */
export const COMPRESSION_LEVELS: Readonly<Record<CompressionType, { min: number; max: number } | undefined>> = {
  zstd: { min: 1, max: 22 },
  gzip: { min: 1, max: 9 },
  brotli: { min: 0, max: 11 },
  lz4: undefined,
  none: undefined,
};

/** What is wrong with a level (`99 is not between 1 and 22 (zstd)`), or undefined where nothing is. */
export function compressionLevelProblem({ type, level }: CompressionSetting): string | undefined {
  const range = COMPRESSION_LEVELS[type];
  if (!range || (Number.isInteger(level) && level >= range.min && level <= range.max)) return undefined;
  return `${level} is not between ${range.min} and ${range.max} (${type})`;
}

/** Throws `CONFIG_INVALID` for a codec or a level that there is not. */
export function checkCompression(setting: CompressionSetting): void {
  if (!CODECS.includes(setting.type))
    throw new LlmspellError('CONFIG_INVALID', `The compression ${setting.type} is none of ${CODECS.join(', ')}.`);
  const problem = compressionLevelProblem(setting);
  if (problem) throw new LlmspellError('CONFIG_INVALID', `The compression level ${problem}.`);
}
