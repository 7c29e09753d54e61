import { join, resolve } from 'node:path';
import { errnoOf, LlmspellError } from '../../errors.js';
import { luaDefinitions } from '../../reference/lua-cats.js';
import { atomicWrite } from '../../util/atomic-write.js';
import { makeDirectory } from '../../util/make-directory.js';
import type { Context } from '../context.js';
import { editorSettings } from '../editor-settings.js';
import { version } from '../version.js';

/** Where editors find the definitions, below the project's directory. */
const LIBRARY = '.llmspell/types';

/** Writes the definitions of `State` for lua-language-server, and has its settings name them. */
export async function types({ cwd, out }: Context, [directory = '.']: string[]): Promise<void> {
  const project = resolve(cwd, directory);
  const settings = join(project, '.luarc.json');
  const { text, notices } = await editorSettings(settings, LIBRARY);
  const definitions = join(project, LIBRARY, 'State.lua');
  try {
    await makeDirectory(join(project, LIBRARY));
    await atomicWrite(definitions, (handle) => handle.writeFile(luaDefinitions(version())));
    if (text !== undefined) await atomicWrite(settings, (handle) => handle.writeFile(text));
  } catch (cause) {
    throw new LlmspellError('USAGE', `The definitions cannot be written below ${project} (${errnoOf(cause)}).`, {
      subject: project,
      cause,
      hint: 'Name a directory that you may write to.',
    });
  }
  for (const notice of notices) out.notice(notice);
  out.result({ definitions, settings, settings_changed: text !== undefined }, () =>
    [`Wrote ${definitions}.`, text === undefined ? `${settings} names them already.` : `Wrote ${settings}.`].join('\n'),
  );
}
