import { LlmspellError } from '../../errors.js';
import { fromExactJson } from '../../state/exact-json.js';
import type { StateStore } from '../../state/types.js';
import { type Bytes, utf8 } from '../../util/bytes.js';
import { confirm } from '../confirm.js';
import type { Context } from '../context.js';
import { counted } from '../format.js';
import { withHost } from '../with-host.js';

const CHANGING = { persistent: true };

/** Sets a value given as JSON; `null` deletes. */
export async function set(context: Context, [scope = '', key = '', json = '']: string[]): Promise<void> {
  const given = parseJson(json);
  await withHost(context, CHANGING, async (host) => {
    await change(await host.store(), scope, key, given === null ? null : fromExactJson(given));
    context.out.result({ scope, key, value: given }, () => '');
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const hint = `Text is written in quotes: '"hello"'.`;
    throw new LlmspellError('USAGE', `The value is not JSON: ${(error as Error).message}.`, { hint });
  }
}

/** On disk when it resolves, with how many entries were changed. */
async function change(store: StateStore, scope: string, key: string, value: Bytes | null): Promise<number> {
  const { effective } = await store.write([{ scope: utf8(scope), key: utf8(key), value }]);
  await store.flush();
  return effective;
}

/** Deletes an entry; that there is none is said, and no failure. */
export async function remove(context: Context, [scope = '', key = '']: string[]): Promise<void> {
  await withHost(context, CHANGING, async (host) => {
    const deleted = (await change(await host.store(), scope, key, null)) > 0;
    if (!deleted) context.out.notice(`There was no ${key} in the scope ${scope}.`);
    context.out.result({ scope, key, deleted }, () => '');
  });
}

/** Deletes all entries, or those of one scope. */
export async function clear(
  context: Context,
  _: string[],
  { scope, yes }: { scope?: string; yes?: boolean },
): Promise<void> {
  await withHost(context, CHANGING, async (host) => {
    const store = await host.store();
    const what = scope === undefined ? 'all scopes' : `the scope ${scope}`;
    await confirm(context, `Delete all entries of ${what}?`, yes);
    let removed = 0;
    for (const each of scope === undefined ? await store.scopes() : [utf8(scope)]) removed += await store.clear(each);
    await store.flush();
    context.out.result({ removed }, () => `Deleted ${counted(removed, 'entry', 'entries')}.`);
  });
}
