import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { errnoOf, LlmspellError } from '../../errors.js';
import { exportEntries, importEntries } from '../../host/state-transfer.js';
import type { ExportedEntry } from '../../state/exported-entry.js';
import { outputFile } from '../../util/output-file.js';
import { confirm } from '../confirm.js';
import type { Context } from '../context.js';
import { counted } from '../format.js';
import { withProgress } from '../progress.js';
import { withHost } from '../with-host.js';

export type ExportFormat = 'jsonl' | 'json';

/** Characters that are written at once. */
const PIECE = 65_536;

/** Writes every entry, one JSON object a line or as one document; to standard output where no file is named. */
export async function exportState(
  context: Context,
  [file = '-']: string[],
  { format = context.out.json && file === '-' ? 'json' : 'jsonl' }: { format?: ExportFormat },
): Promise<void> {
  await withHost(context, { readOnly: true, persistent: true }, async (host) => {
    const store = await host.store();
    if (file === '-') {
      await write(exportEntries(store, context), format, (text) => context.out.raw(text));
      return;
    }
    const path = resolve(context.cwd, file);
    const count = await withProgress(context, (watching) =>
      outputFile(path, { replace: true }, (handle) =>
        write(exportEntries(store, watching), format, (text) => handle.writeFile(text)),
      ),
    );
    context.out.result(
      { file: path, entries: count },
      () => `Exported ${counted(count, 'entry', 'entries')} to ${file}.`,
    );
  });
}

async function write(
  entries: AsyncIterable<ExportedEntry>,
  format: ExportFormat,
  put: (text: string) => Promise<unknown>,
): Promise<number> {
  let count = 0;
  let text = format === 'json' ? '{"entries": [\n' : '';
  for await (const entry of entries) {
    const separator = format === 'json' && count > 0 ? ',\n' : '';
    text += `${separator}${JSON.stringify(entry)}${format === 'jsonl' ? '\n' : ''}`;
    count++;
    if (text.length < PIECE) continue;
    await put(text);
    text = '';
  }
  await put(format === 'json' ? `${text}\n]}\n` : text);
  return count;
}

/** Makes the state what an export holds, or, with `merge`, adds it to what there is; all or nothing. */
export async function importState(
  context: Context,
  [file = '']: string[],
  flags: { merge?: boolean; yes?: boolean },
): Promise<void> {
  const { merge = false, yes } = flags;
  await withHost(context, { persistent: true }, async (host) => {
    if (!merge) await confirm(context, 'Replace the whole state by what the file holds?', yes);
    const description = `import ${file}`;
    const store = await host.store();
    const result = await withProgress(context, (watching) =>
      importEntries(store, entriesOf(file, context.cwd), { merge, description, ...watching }),
    );
    context.out.result({ entries: result.entryCount, rollback_id: result.rollbackId ?? null }, () =>
      [
        `Imported ${counted(result.entryCount, 'entry', 'entries')}.`,
        ...(result.rollbackId === undefined ? [] : [`Undo it with \`llmspell backup restore ${result.rollbackId}\`.`]),
      ].join('\n'),
    );
  });
}

/** Of both forms: a line that is an entry is one; otherwise the whole is one document. */
async function* entriesOf(file: string, cwd: string): AsyncGenerator<unknown> {
  const input = file === '-' ? process.stdin : createReadStream(resolve(cwd, file));
  const rest: string[] = [];
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number++;
      const isDocument = rest.length > 0 || (number === 1 && /^\s*\{\s*("entries"|$)/.test(line));
      if (isDocument) rest.push(line);
      else if (line.trim() !== '') yield parse(line, `${file}:${number}`);
    }
  } catch (error) {
    if (errnoOf(error) === undefined || error instanceof LlmspellError) throw error;
    const reason = errnoOf(error) === 'ENOENT' ? 'there is no such file' : errnoOf(error);
    throw new LlmspellError('USAGE', `Cannot read ${file}: ${reason}.`, {
      subject: file,
      cause: error,
      hint: 'Check the path.',
    });
  }
  if (rest.length === 0) return;
  const { entries } = parse(rest.join('\n'), file) as { entries?: unknown };
  if (!Array.isArray(entries)) throw notAnExport(file, 'it has no list of entries');
  yield* entries;
}

function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notAnExport(place, (error as Error).message);
  }
}

const notAnExport = (place: string, why: string) =>
  new LlmspellError('VALUE_INVALID', `${place}: this is no export of a state: ${why}.`, {
    hint: 'Nothing was changed. `llmspell state export` writes what can be imported.',
  });
