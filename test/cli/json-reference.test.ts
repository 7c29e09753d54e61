import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Workspace, workspace } from './cli.js';
import { type JsonSchema, mistakes } from './json-schema.js';

const INTRODUCTION = `# What the command prints with \`--json\`

<!-- Written from real runs by test/cli/json-reference.test.ts; \`npx vitest run test/cli/json-reference.test.ts --update\` writes it anew. -->

One document on stdout and nothing else. Fields are added in later versions, never renamed or removed. \`…_ms\` is milliseconds, \`…_bytes\` is
bytes, \`created_at\` and \`validated_at\` are whole Unix seconds. Values of the state are exact: what JSON has no word for is an object
with one key that begins with \`$\` (\`{"$int": "9223372036854775807"}\`, \`{"$float": "1"}\`, \`{"$bytes": "<base64>"}\`,
\`{"$table": [[key, value], …]}\`). Scopes and keys that are not text are shown with \`\\xNN\`; \`state export\` has them exactly. What is not known or does not apply is null.
[json-schema.json](json-schema.json) has the same as JSON Schema, one definition a command.
`;

/** What a document is made of, as TypeScript would say it. */
type Shape = string | { [key: string]: Shape } | [Shape] | Nullable;

class Nullable {
  readonly inner: Shape;

  constructor(inner: Shape) {
    this.inner = inner;
  }
}

/** Null in some runs and text in others. */
const NULLABLE = new Set([
  'unreachable',

  'parent_id',
  'damage',
  'rollback_id',
  'schema_version',
  'into',
  'from_version',
  'error_message',
]);

/** What the runs below do not come to. */
const NAME = { scope: 'string', key: 'string' };
const RARE: Record<string, Shape> = {
  '.results[].error': new Nullable({ code: 'string', message: 'string', hint: 'string' }),
  '.plan.history': new Nullable({ from_seq: 'number', to_seq: 'number' }),
  '.reach.gaps': [{ from_ms: 'number', to_ms: 'number', reason: 'string' }],
  '.reach.unusable': [{ id: 'string', reason: 'string' }],
  '.archives[].lost': new Nullable([{ records: 'number', from: new Nullable(NAME), to: new Nullable(NAME) }]),
};

function shapeOf(value: unknown, path: string): Shape {
  if (path.endsWith('.value')) return 'value';
  if (path.endsWith('.settings') && typeof value === 'object') return '{ as the configuration file has them }';
  if (path.endsWith('.origins')) return '{ [key]: { from, file, line, variables } }';
  if (path in RARE) return RARE[path]!;
  const name = path.slice(path.lastIndexOf('.') + 1);
  if (NULLABLE.has(name)) return 'string | null';
  if (Array.isArray(value) && ['.added', '.changed', '.removed'].includes(path)) return [NAME];
  if (Array.isArray(value)) return [value.map((item) => shapeOf(item, `${path}[]`)).reduce(union, 'never')];
  if (value === null) return 'null';
  if (typeof value !== 'object') return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner, `${path}.${key}`)]));
}

function union(a: Shape, b: Shape): Shape {
  if (JSON.stringify(a) === JSON.stringify(b) || b === 'never') return a;
  if (a === 'never') return b;
  if (a === 'null' || b === 'null') return nullable(a === 'null' ? b : a);
  if (a instanceof Nullable || b instanceof Nullable) return nullable(union(innerOf(a), innerOf(b)));
  if (typeof a === 'string' && typeof b === 'string')
    return [...new Set([...a.split(' | '), ...b.split(' | ')])].sort().reverse().join(' | ');
  if (Array.isArray(a) && Array.isArray(b)) return [union(a[0], b[0])];
  if (typeof a === 'string' || typeof b === 'string' || Array.isArray(a) || Array.isArray(b)) return a;
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const optional = (key: string) => (key in a && key in b ? key : `${key.replace(/\?$/, '')}?`);
  return Object.fromEntries(keys.map((key) => [optional(key), union(a[key] ?? 'never', b[key] ?? 'never')]));
}

const innerOf = (shape: Shape): Shape => (shape instanceof Nullable ? shape.inner : shape);

function nullable(shape: Shape): Shape {
  if (shape instanceof Nullable) return shape;
  if (typeof shape !== 'string') return new Nullable(shape);
  return shape.split(' | ').includes('null') ? shape : `${shape} | null`;
}

/** The same as JSON Schema; of what is written out as text, its kind. */
function schemaOf(shape: Shape): JsonSchema {
  if (shape === 'value') return {};
  if (shape === 'never') return { type: 'string' };
  if (shape instanceof Nullable) return { anyOf: [{ type: 'null' }, schemaOf(shape.inner)] };
  if (typeof shape === 'string') {
    const types = shape.startsWith('{') ? ['object'] : shape.split(' | ');
    return { type: types.length === 1 ? types[0]! : types };
  }
  if (Array.isArray(shape)) return { type: 'array', items: schemaOf(shape[0]) };
  const fields = Object.entries(shape);
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map(([key, inner]) => [key.replace(/\?$/, ''), schemaOf(inner)])),
    required: fields.map(([key]) => key).filter((key) => !key.endsWith('?')),
  };
}

function shown(shape: Shape, indent = ''): string {
  if (typeof shape === 'string') return shape;
  if (shape instanceof Nullable) return `${shown(shape.inner, indent)} | null`;
  if (Array.isArray(shape)) {
    const item = shown(shape[0], indent);
    return item.includes(' | ') && !item.startsWith('{') ? `(${item})[]` : `${item === 'never' ? 'string' : item}[]`;
  }
  const fields = Object.entries(shape).map(([key, inner]) => `${indent}  ${key}: ${shown(inner, `${indent}  `)}`);
  return `{\n${fields.join('\n')}\n${indent}}`;
}

/** These print what went wrong as well, and then do not succeed; or read standard input. */
const mayFail = new Set(['run', 'exec', 'repl', 'test']);

/** Runs every command that prints a document; by its name, what it printed. */
async function documents(cli: Workspace): Promise<Map<string, unknown[]>> {
  const found = new Map<string, unknown[]>();
  const print = async (args: string[]) =>
    mayFail.has(args[0]!) ? (await cli.run(args)).stdout : await cli.ok(...args);
  const run = async (name: string, ...args: string[]) => {
    const document: unknown = JSON.parse(await print([...name.split(' '), '--json', ...args]));
    found.set(name, [...(found.get(name) ?? []), document]);
    return document as { id: string };
  };
  await run('config show');
  await run('config init');
  await writeFile(join(cli.cwd, 'llmspell.toml'), '[runtime.state_persistence.backup]\nmax_backups = 5');
  await run('run', '-');
  await run('exec', 'error("boom")');
  await run('exec', 'print(1)');
  await run('repl');
  await writeFile(join(cli.cwd, 'a_test.lua'), 'it("fails", function() assert.equal(1, 2) end)');
  await run('test');
  await run('state set', 'global', 'a', '1');
  const { id } = await run('backup create', '--tag', 'x');
  await run('state set', 'global', 'a', '2');
  await run('backup create', '--incremental');
  await run('state show');
  await run('state get', 'global', 'a');
  await run('state list');
  await run('state scopes');
  await run('state stats');
  await run('backup list');
  await run('backup info', 'latest');
  // One that tells nothing.
  const damaged = join(cli.cwd, 'backups/0123456789abcdef.lsb');
  await writeFile(damaged, 'x');
  await run('backup list');
  await run('backup info', '0123456789abcdef');
  await run('backup timeline', '--quiet');
  await rm(damaged);
  await run('backup pin', id);
  await run('backup unpin', id);
  await run('backup validate', 'latest');
  await run('backup diff', id);
  await run('backup drill');
  await run('backup restore', id, '--yes');
  await run('backup restore', id, '--dry-run');
  await run('state set', 'global', 'b', '1');
  await run('backup timeline');
  await run('backup timeline --html FILE');
  await run('backup rescue', 'latest');
  await run('backup export', 'latest', 'x.lsb');
  await run('backup import', 'x.lsb', '--quiet');
  await run('backup delete', 'latest');
  await run('backup compact', 'latest', '--quiet');
  await run('backup rekey', '--all');
  await run('backup cleanup');
  await run('backup delete', 'latest');
  await run('state delete', 'global', 'a');
  await run('state history', 'global', 'a');
  await run('state export', 'x.jsonl');
  found.set('state export (without a file)', [JSON.parse(await cli.ok('state', 'export', '--json'))]);
  await run('state import', 'x.jsonl', '--yes');
  await run('state check');
  await run('state repair');
  await run('state clear', '--yes');
  await mkdir(join(cli.cwd, 'schemas'));
  await writeFile(join(cli.cwd, 'schemas/1.0.0.toml'), '[[entries]]\nfields."." = { type = "integer" }');
  const step = '[[steps]]\nconvert = { field = ".", from = "integer", to = "string" }';
  await writeFile(join(cli.cwd, 'schemas/2.0.0.toml'), step);
  await writeFile(
    join(cli.cwd, 'llmspell.toml'),
    '[runtime.state_persistence]\nmigration_enabled = true\n[runtime.state_persistence.backup]\nmax_backups = 5',
  );
  await run('state set', 'global', 'a', '1');
  await run('migrate status');
  await run('migrate versions');
  await run('migrate run', '--dry-run', '--quiet');
  await run('migrate run', '--yes', '--quiet');
  await run('migrate validate');
  await run('config show');
  await run('config check');
  await run('types');
  const failed = await cli.run(['state', 'get', '--json', 'global', 'gone']);
  found.set('any command that fails', [JSON.parse(failed.stdout)]);
  return found;
}

test('docs/json.md and docs/json-schema.json are what the commands print', async () => {
  const found = await documents(await workspace({ isChecked: false }));
  const shapes = [...found].map(
    ([name, given]) => [name, given.map((document) => shapeOf(document, '')).reduce(union)] as const,
  );
  const sections = shapes.map(([name, shape]) => `## ${name}\n\n\`\`\`ts\n${shown(shape)}\n\`\`\`\n`);
  await expect(`${INTRODUCTION}\n${sections.join('\n')}`).toMatchFileSnapshot('../../docs/json.md');
  const schemas = Object.fromEntries(shapes.map(([name, shape]) => [name, schemaOf(shape)]));
  const file = { $schema: 'https://json-schema.org/draft/2020-12/schema', $defs: schemas };
  await expect(`${JSON.stringify(file, null, 2)}\n`).toMatchFileSnapshot('../../docs/json-schema.json');
  for (const [name, given] of found)
    for (const document of given) expect(mistakes(document, schemas[name]!), name).toEqual([]);
}, 120_000);

test.each([
  [{ id: 1 }, '.id: number, not string'],
  [{}, '.id: missing'],
  [{ id: 'a', more: 1 }, '.more: not in the schema'],
  [{ id: 'a', list: [1, 'x'] }, '.list[1]: string, not number'],
  [{ id: 'a', sub: { x: true } }, '.sub.x: boolean, not null'],
])('a document that is not as its schema says is found: %j', (document, mistake) => {
  const schema = schemaOf({ id: 'string', 'list?': ['number'], 'sub?': new Nullable({ x: 'null' }) });
  expect(mistakes({ id: 'a', list: [], sub: null }, schema)).toEqual([]);
  expect(mistakes(document, schema)).toEqual([mistake]);
});
