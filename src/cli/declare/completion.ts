import { Argument, type Command } from 'commander';
import { act, define, type Invocation } from '../define.js';

export function declareCompletion(program: Command, invocation: Invocation): void {
  const completion = define(program, {
    usage: 'completion',
    summary: 'print what lets a shell complete commands, options, backup ids, scopes and keys at Tab',
    examples: [
      'llmspell completion bash >> ~/.bash_completion',
      'llmspell completion zsh > "${fpath[1]}/_llmspell"',
      'llmspell completion fish > ~/.config/fish/completions/llmspell.fish',
    ],
  }).addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']));
  act(completion, invocation, async () => (await import('../commands/completion.js')).completion);
}
