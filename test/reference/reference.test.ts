import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openHost } from '../../src/index.js';
import { classes, formsOf, sections } from '../../src/reference/index.js';
import { luaDefinitions } from '../../src/reference/lua-cats.js';
import type { FunctionReference, Parameter, Section } from '../../src/reference/model.js';
import { workspace } from '../cli/cli.js';

type Host = Awaited<ReturnType<typeof openHost>>;

let host: Host;
let printed: string;
beforeEach(async () => {
  const { cwd } = await workspace();
  printed = '';
  const backup = { backup_dir: join(cwd, 'backups') };
  const state = { backend_type: 'memory', migration_enabled: true, schema_dir: cwd, backup };
  host = await openHost({ directory: cwd, settings: { runtime: { state_persistence: state } } });
});
afterEach(() => host.close());

/** Runs Lua and returns what it printed. */
async function run(source: string): Promise<string> {
  const sink = (_: unknown, bytes: Uint8Array) => {
    printed += Buffer.from(bytes).toString();
  };
  const { error } = await host.run({ source, output: sink });
  expect(error).toBeUndefined();
  return printed;
}

const FIELDS = `local names = {}
for name in pairs(State) do names[#names + 1] = name end
io.write(table.concat(names, " "))`;

const namesOf = ({ functions }: Section) => functions.flatMap(({ name, aliases = [] }) => [name, ...aliases]);

test('every function of the State of a machine is there, and no other', async () => {
  const present = (await run(FIELDS)).split(' ');
  const documented = sections.flatMap(namesOf);
  expect(documented.toSorted()).toEqual(present.toSorted());
});

describe('every example runs and prints what it says', () => {
  const examples = sections.flatMap(({ functions }) => functions.map((each) => [each.name, each] as const));
  test.each(examples)('%s', async (_, { example }) => {
    const said = [...example.matchAll(/--> (.*)/g)].map(([, line]) => line!.trimEnd());
    expect((await run(example)).split('\n').slice(0, -1)).toEqual(said);
  });
});

describe('every named type', () => {
  const used = sections
    .flatMap(({ functions }) => functions)
    .flatMap(({ parameters, result }) => [...parameters.map(({ type }) => type), result?.type ?? '']);
  const all = [...used, ...classes.flatMap(({ fields }) => fields.map(({ type }) => type))].join(' ');
  const named = new Set([...all.matchAll(/llmspell\.(\w+)/g)].map(([, name]) => name!));

  test('is described once, and every description is used', () => {
    named.delete('Value');
    expect([...named].sort()).toEqual(classes.map(({ name }) => name).sort());
  });
});

/** What operations return has exactly the fields that the reference names, but for those that may be missing. */
describe('the fields of results', () => {
  const cases: [string, string][] = [
    ['CreatedBackup', 'State.create_backup()'],
    ['CreatedBackup', 'State.create_backup(true)'],
    ['Backup', '(function() State.create_backup(true) return State.list_backups()[1] end)()'],
    ['RestoreResult', 'State.restore_backup(State.create_backup().backup_id)'],
    ['RestoreResult', 'State.restore_to((State.history("s", "k")[1].at_ms + 0.5) / 1000)'],
    ['Validation', 'State.validate_backup(State.create_backup().backup_id)'],
    ['Outcome', 'State.delete_backup("none")'],
    ['Cleanup', 'State.cleanup_backups(true)'],
    ['CleanupDecision', '(function() State.create_backup() return State.cleanup_backups(true).kept[1] end)()'],
    ['StorageUsage', 'State.get_storage_usage()'],
    ['Difference', 'State.diff_backups(State.create_backup().backup_id, "current")'],
    ['HistoryEntry', 'State.history("s", "k")[1]'],
    ['View', 'State.at(State.create_backup().backup_id)'],
  ];
  test.each(cases)('%s: %s', async (name, expression) => {
    const shown = await run(`State.set("s", "k", 1)
      for name in pairs(${expression}) do io.write(name, " ") end`);
    const fields = classes.find((each) => each.name === name)!.fields;
    const present = shown.trim().split(' ');
    const known = fields.map((field) => field.name);
    expect(known).toEqual(expect.arrayContaining(present));
    // A failure has only what says so.
    if (name === 'Outcome') return;
    const needed = fields.filter(({ isOptional }) => !isOptional).map((field) => field.name);
    expect(present).toEqual(expect.arrayContaining(needed));
  });
});

test('the definitions are Lua that defines every function', async () => {
  const source = luaDefinitions('1.0.0');
  expect(source).toMatch(/^---@meta\n/);
  const defined = await run(`${source}\n${FIELDS}`);
  expect(defined.split(' ').toSorted()).toEqual(sections.flatMap(namesOf).toSorted());
  const annotations = source.split('\n').filter((line) => line.startsWith('---@'));
  for (const line of annotations) expect(line).toMatch(/^---@(meta|alias|class|field|param|return|overload)\b/);
});

const INTRODUCTION = async () =>
  (await readFile(new URL('lua-api.introduction.md', import.meta.url), 'utf8')).trimEnd();

const escaped = (text: string) => text.replaceAll('|', '\\|');
const typeText = (type: string) => type.replaceAll('llmspell.', '');

function callOf(name: string, parameters: readonly Parameter[], result: string | undefined): string {
  const list = parameters.map((each) => `${each.name}${each.isOptional ? '?' : ''}`).join(', ');
  return `State.${name}(${list})${result === undefined ? '' : ` → ${typeText(result)}`}`;
}

function functionSection(reference: FunctionReference): string {
  const { name, aliases = [], text, parameters, result, raises, example } = reference;
  const calls = formsOf(reference).map((form) => callOf(name, form, result?.type));
  return [
    `### State.${name}`,
    `\`\`\`\n${calls.join('\n')}\n\`\`\``,
    text + (aliases.length > 0 ? ` Older name: ${aliases.map((alias) => `\`State.${alias}\``).join(', ')}.` : ''),
    ...(parameters.length > 0 ? [table('parameter', parameters)] : []),
    ...(result ? [`Returns ${result.text}.`] : ['Returns nothing.']),
    ...(raises ? [`Raises: ${raises}.`] : []),
    `\`\`\`lua\n${example}\n\`\`\``,
  ].join('\n\n');
}

const table = (what: string, fields: readonly Parameter[]): string =>
  [
    `| ${what} | type | |`,
    '| --- | --- | --- |',
    ...fields.map(
      ({ name, type, text, isOptional }) =>
        `| \`${name}\` | \`${escaped(typeText(type))}\`${isOptional ? ', optional' : ''} | ${escaped(text)} |`,
    ),
  ].join('\n');

test('docs/lua-api.md is written from the same source', async () => {
  const parts = [
    await INTRODUCTION(),
    ...sections.flatMap(({ title, text, functions }) => [`## ${title}`, text, ...functions.map(functionSection)]),
    '## Tables',
    'What functions take and return.',
    ...classes.flatMap(({ name, text, fields }) => [`### ${name}`, text, table('field', fields)]),
  ];
  await expect(`${parts.join('\n\n')}\n`).toMatchFileSnapshot('../../docs/lua-api.md');
});
