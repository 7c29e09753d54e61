import { COMPLETION_SCRIPTS } from '../completion/scripts.js';
import type { Context } from '../context.js';

/** The completion script of a shell. */
export async function completion(context: Context, [shell = '']: string[]): Promise<void> {
  const script = COMPLETION_SCRIPTS[shell as keyof typeof COMPLETION_SCRIPTS];
  context.out.result({ shell, script }, () => script);
}
