import { type Command, Option } from 'commander';
import { count } from '../arguments.js';
import { act, define, type Invocation } from '../define.js';

export function declareState(program: Command, invocation: Invocation): void {
  const state = define(program, { usage: 'state', summary: 'look at the state and change it', examples: [] });
  const changing = () => import('../commands/state.js');
  const looking = () => import('../commands/state-look.js');

  const show = define(state, {
    usage: 'show [key]',
    summary: 'print the entries of all scopes, of one, or one entry',
    examples: ['llmspell state show', 'llmspell state show --scope agent:planner', 'llmspell state show greeting'],
  }).option('--scope <scope>', 'only this scope (with a key: default global)');
  act(show, invocation, async () => (await looking()).show);

  const get = define(state, {
    usage: 'get <scope> <key>',
    summary: 'print a value as JSON',
    examples: ['llmspell state get global greeting'],
  });
  act(get, invocation, async () => (await looking()).get);

  const set = define(state, {
    usage: 'set <scope> <key> <json>',
    summary: 'set a value; null deletes',
    examples: [`llmspell state set global greeting '"hello"'`, `llmspell state set agent:planner goals '["a", "b"]'`],
  });
  act(set, invocation, async () => (await changing()).set);

  const remove = define(state, {
    usage: 'delete <scope> <key>',
    summary: 'delete an entry',
    examples: ['llmspell state delete global greeting'],
  });
  act(remove, invocation, async () => (await changing()).remove);

  const list = define(state, {
    usage: 'list [scope]',
    summary: 'print the keys of a scope (default: global), one a line',
    examples: ['llmspell state list', 'llmspell state list agent:planner --prefix task:'],
  }).option('--prefix <prefix>', 'only keys that begin with it');
  act(list, invocation, async () => (await looking()).list);

  const scopes = define(state, {
    usage: 'scopes',
    summary: 'print the scopes that hold anything, one a line',
    examples: ['llmspell state scopes'],
  });
  act(scopes, invocation, async () => (await looking()).scopes);

  const history = define(state, {
    usage: 'history <scope> <key>',
    summary: 'print what an entry was, newest first, as far back as the history reaches',
    examples: ['llmspell state history global greeting -l 5'],
  }).option('-l, --limit <n>', 'the newest so many', count);
  act(history, invocation, async () => (await looking()).history);

  const clear = define(state, {
    usage: 'clear',
    summary: 'delete all entries, or those of one scope',
    examples: ['llmspell state clear --scope cache', 'llmspell state clear --yes'],
  })
    .option('--scope <scope>', 'only this scope')
    .option('-y, --yes', 'do not ask');
  act(clear, invocation, async () => (await changing()).clear);

  const stats = define(state, {
    usage: 'stats',
    summary: 'print how many entries and bytes each scope holds',
    examples: ['llmspell state stats'],
  });
  act(stats, invocation, async () => (await looking()).stats);

  const transfer = () => import('../commands/state-transfer.js');
  const exporting = define(state, {
    usage: 'export [file]',
    summary: 'write every entry, exactly, to a file or to standard output',
    examples: ['llmspell state export state.jsonl', 'llmspell state export --format json | jq .entries'],
  }).addOption(new Option('--format <format>', 'one entry a line, or one document').choices(['jsonl', 'json']));
  act(exporting, invocation, async () => (await transfer()).exportState);

  const importing = define(state, {
    usage: 'import <file>',
    summary: 'make the state what an export holds (- reads standard input); all or nothing',
    examples: ['llmspell state import state.jsonl --yes', 'llmspell state import more.jsonl --merge'],
  })
    .option('--merge', 'keep the entries that the export does not have')
    .option('-y, --yes', 'do not ask');
  act(importing, invocation, async () => (await transfer()).importState);

  const caring = () => import('../commands/state-care.js');
  const check = define(state, {
    usage: 'check',
    summary: 'read the whole state and tell what is damaged; exit 4 where anything is',
    examples: ['llmspell state check', 'llmspell state check --json | jq .problems'],
  });
  act(check, invocation, async () => (await caring()).check);

  const repair = define(state, {
    usage: 'repair',
    summary: 'rescue what can be read of a damaged state into a new one; exit 4 where something is lost',
    examples: ['llmspell state repair', 'llmspell state repair --to rescued-state', 'llmspell state repair --yes'],
  })
    .option('--to <directory>', 'where the new state goes (default: beside the damaged one)')
    .option('-y, --yes', 'put it in the place of the damaged one, which is kept under another name');
  act(repair, invocation, async () => (await caring()).repair);
}
