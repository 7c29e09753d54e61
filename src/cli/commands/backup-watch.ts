import { setTimeout } from 'node:timers/promises';
import { EXIT, toLlmspellError, toPlainError } from '../../errors.js';
import type { Context } from '../context.js';
import { backupDocument } from '../documents.js';
import { withHost } from '../with-host.js';
import { createText } from './backup.js';

const DEFAULT_EVERY_MS = 15 * 60_000;

/**
 * Makes a backup at once and after every interval, incremental where that can be, until it is stopped; that is its proper end. The state
 * is held only while a backup is made. One that fails is told, and the next one tried. With `--json` each result is a line of its own.
 */
export async function watch(
  context: Context,
  _: string[],
  { every = DEFAULT_EVERY_MS, tag: tags = [] }: { every?: number; tag?: readonly string[] },
): Promise<number> {
  const { signal } = context;
  while (!signal.aborted) {
    await backUp(context, tags);
    await setTimeout(every, undefined, { signal }).catch(() => undefined);
  }
  return EXIT.interrupted;
}

async function backUp(context: Context, tags: readonly string[]): Promise<void> {
  try {
    await withHost(context, { persistent: true }, async (host) => {
      const { signal } = context;
      const result = await (await host.backups()).create({ incremental: true, tags, signal });
      context.out.line({ backup: backupDocument(result.backup) }, () => createText(result));
    });
  } catch (error) {
    const { code, exitCode } = toLlmspellError(error);
    // What the configuration or the command line says wrongly does not mend itself.
    if (exitCode === EXIT.usage) throw error;
    if (code === 'ABORTED') return;
    if (context.out.json) context.out.line({ error: toPlainError(error) }, () => '');
    else context.out.error(error);
  }
}
