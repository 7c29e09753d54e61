import { expect, test } from 'vitest';
import { tomlValue } from '../../src/config/document.js';
import type { Field, Fields, Section } from '../../src/config/fields.js';
import { SCHEMA } from '../../src/config/schema.js';

/** The reference of the configuration, as `docs/configuration.md` has it; `npx vitest -u` writes it anew. */
function reference(): string {
  return `${INTRODUCTION}\n${sections(SCHEMA, [])}`;
}

const INTRODUCTION = `# Configuration

<!-- Written from src/config/schema.ts by test/config/reference.test.ts. -->

A TOML file. It is looked for in this order: \`--config FILE\`, the file that \`LLMSPELL_CONFIG\` names, \`llmspell.toml\` in the working
directory or above it, \`config.toml\` in the user's configuration directory (\`~/.config/llmspell\` on Linux). Without one, the defaults
below stand.

- \`\${NAME}\` in a text is the value of that environment variable; one that is not set is an error.
- Relative paths in the file are relative to the file. Paths that are left out are relative to the directory of \`llmspell.toml\` where that was
  found, otherwise to the working directory.
- A value of the wrong type or out of range stops every command, with file, line and column; \`llmspell config check\` lists all of them.
- An unknown key is a note with the nearest right key, and an error with \`--strict\`. Sections of the original system that mean nothing here
  (\`[providers]\`, \`[engines.javascript]\`, …) are accepted, and named with \`--verbose\`.
- \`llmspell config show\` prints what is in effect and where each value comes from; \`llmspell config init\` writes a file to start from.
`;

function sections(fields: Fields, path: readonly string[]): string {
  const all = Object.entries(fields);
  const keys = all.filter((entry): entry is [string, Field] => entry[1].kind !== 'section');
  const inner = all.filter((entry): entry is [string, Section] => entry[1].kind === 'section');
  const table = keys.length === 0 ? '' : `${path.length === 0 ? '\n' : ''}${tableOf(keys)}`;
  return table + inner.map(([name, section]) => sectionText(section, [...path, name])).join('');
}

function sectionText({ description, fields }: Section, path: readonly string[]): string {
  const hasKeys = Object.values(fields).some(({ kind }) => kind !== 'section');
  return `${hasKeys ? `\n## \`[${path.join('.')}]\`\n\n${description}\n\n` : ''}${sections(fields, path)}`;
}

function tableOf(keys: readonly [string, Field][]): string {
  const rows = keys.map(([name, field]) => {
    const cells = [`\`${name}\``, kindOf(field), `\`${tomlValue(field.default)}\``, field.description];
    return `| ${cells.join(' | ')} |`;
  });
  return ['| key | type | default | |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function kindOf(field: Field): string {
  switch (field.kind) {
    case 'choice':
      return field.values.map((value) => `\`${tomlValue(value)}\``).join(', ');
    case 'integer':
    case 'number':
      return field.max === Number.MAX_SAFE_INTEGER
        ? `${field.kind} ≥ ${field.min}`
        : `${field.kind} ${field.min} – ${field.max}`;
    case 'text':
      return field.isPath ? 'path' : 'text';
    case 'list':
      return field.isPath ? 'array of paths' : 'array of names';
    case 'boolean':
      return 'boolean';
  }
}

test('docs/configuration.md is what the schema says', async () => {
  await expect(reference()).toMatchFileSnapshot('../../docs/configuration.md');
});
