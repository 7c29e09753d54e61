import { execFileSync } from 'node:child_process';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXIT_MEANINGS, examplesOf, helpOf, leaves, pathOf, program } from './commands.js';

/** All that `--help` prints, as `docs/command.md` has it; `npx vitest -u` writes it anew. */
function reference(): string {
  return `${INTRODUCTION}\n${[program, ...leaves(program)].map(section).join('\n')}`;
}

const INTRODUCTION = `# The command

<!-- Written from src/cli by test/cli/reference.test.ts. -->

Results go to stdout; notes, progress and errors to stderr. With \`--json\`, stdout holds one JSON document and nothing else, errors
included: \`{"error": {"code", "message", "hint"}}\`. Global options are taken before and after the name of a command.

| exit | meaning |
| --- | --- |
${EXIT_MEANINGS.map(([code, meaning]) => `| ${code} | ${meaning} |`).join('\n')}
`;

function section(command: Command): string {
  const text = helpOf(command);
  const shown = command === program ? text : text.replace(/\nGlobal Options:\n(?: .*\n)+/, '');
  return `## ${pathOf(command)}\n\n\`\`\`\n${shown.trim()}\n\`\`\`\n`;
}

test('docs/command.md is what --help prints', async () => {
  await expect(reference()).toMatchFileSnapshot('../../docs/command.md');
});

/** The words of a command line, as a shell splits it. */
const words = (line: string): string[] =>
  execFileSync('sh', ['-c', `for word in ${line}; do printf '%s\\0' "$word"; done`], { encoding: 'utf8' })
    .split('\0')
    .slice(0, -1);

test.each(leaves(program).map((command) => [pathOf(command), command] as const))(
  '%s has an example in its help, and all of them are understood',
  async (path, command) => {
    const examples = examplesOf(command).map((line) => line.split(/ [|>]/)[0]!);
    expect(examples.length).toBeGreaterThan(0);
    const understood: string[] = [];
    command.action(() => {
      understood.push(pathOf(command));
    });
    for (const example of examples) await program.parseAsync(words(example).slice(1), { from: 'user' });
    expect(understood).toEqual(examples.map(() => path));
  },
);
