import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { commentedConfig, tomlValue } from '../../config/document.js';
import { displayPath, inspectConfig } from '../../config/load.js';
import type { Origin } from '../../config/origins.js';
import { EXIT, errnoOf, LlmspellError, toPlainError } from '../../errors.js';
import { atomicWrite } from '../../util/atomic-write.js';
import { type Context, readConfig } from '../context.js';
import { columns } from '../format.js';
import type { Style } from '../output.js';

/** The effective settings, key by key, and where each comes from. */
export async function show(context: Context): Promise<void> {
  const { config, file, origins } = await readConfig(context);
  const byKey = await origins();
  const document = { file: file ?? null, settings: config, origins: Object.fromEntries(byKey) };
  context.out.result(document, (style) => settingsText(config, byKey, style));
}

function settingsText(config: object, origins: Map<string, Origin>, style: Style): string {
  const rows = [...origins].map(([key, origin]) => [
    key,
    '=',
    tomlValue(valueAt(config, key.split('.')) as string),
    style.dim(`# ${originText(origin)}`),
  ]);
  return columns(rows);
}

const valueAt = (value: unknown, path: string[]): unknown =>
  path.reduce((inner, name) => (inner as Record<string, unknown>)[name], value);

function originText(origin: Origin): string {
  if (origin.from === 'default') return 'default';
  const variables = origin.variables.length > 0 ? ` (with ${origin.variables.join(', ')} of the environment)` : '';
  return `${origin.file}:${origin.line}${variables}`;
}

/** Every problem and every notice; exit 2 where there are problems. */
export async function check({ options, cwd, env, out }: Context, [file]: string[]): Promise<number> {
  const path = file ?? options.config;
  const checked = await inspectConfig({ ...(path !== undefined && { path }), strict: options.strict, cwd, env });
  const { problems, notices, foreign } = checked;
  const shown = checked.file === undefined ? undefined : displayPath(checked.file, cwd);
  const error = problems.length === 0 ? {} : { error: toPlainError(new LlmspellError('CONFIG_INVALID', problems[0]!)) };
  out.result(
    { ...error, file: checked.file ?? null, is_valid: problems.length === 0, problems, notices, foreign },
    (style) =>
      [
        ...problems.map((problem) => `${style.red('problem:')} ${problem}`),
        ...notices.map((notice) => `${style.yellow('note:')} ${notice}`),
        ...foreign.map((key) => `${style.dim('without effect here:')} ${key}`),
        verdict(problems.length, shown),
      ].join('\n'),
  );
  return problems.length === 0 ? EXIT.done : EXIT.usage;
}

function verdict(problems: number, file: string | undefined): string {
  if (file === undefined) return 'There is no configuration file; the built-in defaults stand.';
  return problems === 0 ? `${file} is sound.` : `${file} has ${problems} problem${problems === 1 ? '' : 's'}.`;
}

/** Writes a commented file. Refuses to replace one unless `force`. */
export async function init({ cwd, out }: Context, [given]: string[], { force }: { force?: boolean }): Promise<void> {
  const file = resolve(cwd, given ?? 'llmspell.toml');
  const shown = displayPath(file, cwd);
  if (existsSync(file) && !force)
    throw new LlmspellError('USAGE', `${shown} is there already.`, {
      subject: file,
      hint: 'Name another file, or replace it with --force.',
    });
  try {
    await atomicWrite(file, (handle) => handle.writeFile(commentedConfig()));
  } catch (error) {
    throw new LlmspellError('USAGE', `${shown} cannot be written (${errnoOf(error)}).`, {
      subject: file,
      cause: error,
      hint: 'Name a file in a directory that exists and that you may write to.',
    });
  }
  out.result({ file }, () => `Wrote ${shown}.`);
}
