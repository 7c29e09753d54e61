import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What a schema here is made of. */
export interface JsonSchema {
  type?: string | readonly string[];
  anyOf?: readonly JsonSchema[];
  items?: JsonSchema;
  properties?: Readonly<Record<string, JsonSchema>>;
  required?: readonly string[];
}

const FILE = fileURLToPath(new URL('../../docs/json-schema.json', import.meta.url));
let schemas: Record<string, JsonSchema> | undefined;

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'number' ? 'number' : typeof value;

/** What a document has that its schema does not say, and what it lacks. A field that is not in the schema is a mistake too. */
export function mistakes(value: unknown, schema: JsonSchema, path = ''): string[] {
  if (schema.anyOf) {
    const tried = schema.anyOf.map((one) => mistakes(value, one, path));
    return tried.some((found) => found.length === 0) ? [] : tried.at(-1)!;
  }
  if (schema.type === undefined) return [];
  const actual = typeOf(value);
  if (![schema.type].flat().includes(actual)) return [`${path}: ${actual}, not ${[schema.type].flat().join(' or ')}`];
  if (Array.isArray(value))
    return schema.items ? value.flatMap((item, i) => mistakes(item, schema.items!, `${path}[${i}]`)) : [];
  const { properties, required = [] } = schema;
  if (actual !== 'object' || !properties) return [];
  const document = value as Record<string, unknown>;
  return [
    ...required.filter((key) => !(key in document)).map((key) => `${path}.${key}: missing`),
    ...Object.entries(document).flatMap(([key, inner]) =>
      properties[key] ? mistakes(inner, properties[key], `${path}.${key}`) : [`${path}.${key}: not in the schema`],
    ),
  ];
}

const GROUPS = new Set(['state', 'backup', 'migrate', 'config']);

/** Throws where a command printed a document that its schema in docs/json-schema.json does not allow. */
export function checkDocument(args: readonly string[], stdout: string): void {
  const isJson = args.some(
    (arg, i) => arg === '--json' || (arg === 'json' && /^(-o|--output)$/.test(args[i - 1] ?? '')),
  );
  const at = args.findIndex((arg, i) => !arg.startsWith('-') && !/^(-c|--config|-o|--output)$/.test(args[i - 1] ?? ''));
  const script = args.findIndex((arg) => ['run', 'exec', 'repl'].includes(arg));
  if (!isJson || at < 0 || (script >= 0 && args.indexOf('--json') > script + 1)) return;
  const name = GROUPS.has(args[at]!) ? `${args[at]} ${args[at + 1]}` : args[at]!;
  const document = parsed(stdout);
  if (document === undefined) return;
  schemas ??= (JSON.parse(readFileSync(FILE, 'utf8')) as { $defs: Record<string, JsonSchema> }).$defs;
  const schema = 'error' in document ? schemas['any command that fails'] : schemas[variantOf(name, args, document)];
  if (schema === undefined) return;
  const { error } = document;
  const found = error === undefined ? mistakes(document, schema) : mistakes({ error }, schema);
  if (found.length > 0)
    throw new Error(`llmspell ${args.join(' ')} printed what its schema does not say: ${found.join('; ')}`);
}

function variantOf(name: string, args: readonly string[], document: Record<string, unknown>): string {
  if (args.includes('--html')) return `${name} --html FILE`;
  return name === 'state export' && Array.isArray(document.entries) ? `${name} (without a file)` : name;
}

/** Undefined where it is not one object: a line for each result, or nothing. */
function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
