import type { Command } from 'commander';
import { act, define, type Invocation } from '../define.js';

export function declareEditors(program: Command, invocation: Invocation): void {
  const types = define(program, {
    usage: 'types [directory]',
    summary: 'write definitions of State for editors (.llmspell/types) and have .luarc.json name them',
    examples: ['llmspell types', 'llmspell types ../other-project'],
  });
  act(types, invocation, async () => (await import('../commands/types.js')).types);
}
