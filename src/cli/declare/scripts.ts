import { type Command, Option } from 'commander';
import { byteSize, capability, count, moment, seconds } from '../arguments.js';
import { act, define, type Invocation } from '../define.js';

export function declareScripts(program: Command, invocation: Invocation): void {
  const run = define(program, {
    usage: 'run <file> [args...]',
    summary: 'run a Lua script (- reads it from standard input); what follows the file belongs to the script',
    examples: ['llmspell run script.lua', 'llmspell run --timeout 10 --deny file script.lua --its-own option'],
  });
  act(withLimits(run), invocation, async () => (await import('../commands/run.js')).run);
  const exec = define(program, {
    usage: 'exec <code> [args...]',
    summary: 'run Lua code given as an argument; what follows it belongs to the code',
    examples: [`llmspell exec 'State.set("greeting", ...)' hello`, `llmspell exec 'print(State.get("greeting"))'`],
  });
  act(withLimits(exec), invocation, async () => (await import('../commands/run.js')).exec);
  const repl = define(program, {
    usage: 'repl [file] [args...]',
    summary: 'run Lua line by line, after the script where one is named; Ctrl-C ends the running line, Ctrl-D leaves',
    examples: ['llmspell repl', 'llmspell repl --readonly script.lua', `echo 'State.list()' | llmspell repl`],
  });
  act(
    withLimits(repl, 'line').option('--no-history', 'do not keep the lines for other sessions'),
    invocation,
    async () => (await import('../commands/repl.js')).repl,
  );
}

export function declareTests(program: Command, invocation: Invocation): void {
  const test = define(program, {
    usage: 'test [files...]',
    summary:
      'run tests written in Lua, each on an empty state of its own (default: *_test.lua and *_spec.lua, here and below)',
    examples: [
      'llmspell test',
      'llmspell test spec/shop_spec.lua --filter "restor"',
      'llmspell test --format junit > report.xml',
    ],
  })
    .option('--filter <pattern>', 'only tests whose full name matches this Lua pattern')
    .addOption(new Option('--format <format>', 'how it is told').choices(['text', 'tap', 'junit']));
  act(withMachineLimits(test, 'file'), invocation, async () => (await import('../commands/test.js')).test);
}

const withMachineLimits = (command: Command, timed: string): Command =>
  command
    .option('--timeout <seconds>', `end the ${timed} after so many seconds; 0: never`, seconds)
    .option('--max-instructions <n>', 'end the script after so many VM instructions; 0: never', count)
    .option('--memory-limit <size>', "how large the script's Lua heap may grow (64M, 1G); 0: as it likes", byteSize)
    .addOption(
      new Option('--allow <what>', 'let the script reach: file, process (may be repeated)').argParser(capability),
    )
    .addOption(
      new Option('--deny <what>', 'do not let the script reach: file, process (may be repeated)').argParser(capability),
    );

const withLimits = (command: Command, timed = 'script'): Command =>
  withMachineLimits(command.passThroughOptions(), timed)
    .option('--readonly', 'state cannot be changed')
    .option(
      '--from <when>',
      'run on a throw-away copy of the state as it was: a backup, an ISO 8601 time, or @SECONDS',
      moment,
    );
