import type { Field, Fields, Section } from './fields.js';
import { SCHEMA } from './schema.js';

/**
 * A configuration file that says what every key does: each key is there as a comment with its default, so that the file
 * means the same as none, but for the backups, which its section switches on.
 */
export function commentedConfig(): string {
  return `# The configuration of llmspell. What is commented out is the default.\n\n${sectionText(SCHEMA, [])}`;
}

function sectionText(fields: Fields, path: readonly string[]): string {
  const entries = Object.entries(fields);
  const keys = entries.filter(([, field]) => field.kind !== 'section') as [string, Field][];
  const sections = entries.filter(([, field]) => field.kind === 'section') as [string, Section][];
  return [
    keys.map(([name, field]) => `# ${field.description}\n# ${name} = ${tomlValue(field.default)}\n`).join('\n'),
    ...sections.map(([name, { description, fields }]) => {
      const inner = [...path, name];
      const hasKeys = Object.values(fields).some((field) => field.kind !== 'section');
      const header = hasKeys ? `# ${description}\n[${inner.join('.')}]\n` : '';
      return `${header}${sectionText(fields, inner)}`;
    }),
  ]
    .filter((text) => text !== '')
    .join('\n');
}

/** A value as TOML has it: a JSON string is a TOML string as well. */
export function tomlValue(value: boolean | number | string | readonly string[]): string {
  return Array.isArray(value) ? `[${value.map(tomlValue).join(', ')}]` : JSON.stringify(value);
}
