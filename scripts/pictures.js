// Makes the pictures of the documentation from what the command really prints: `npm run build && node scripts/pictures.js [directory]`.
// A terminal of its own is what `script` of util-linux gives the command, so that there is colour.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../bin/llmspell.js', import.meta.url));
const target = resolve(process.argv[2] ?? fileURLToPath(new URL('../docs/pictures', import.meta.url)));
const work = mkdtempSync(join(tmpdir(), 'llmspell-pictures-'));

const CHARACTER = 8.4;
const LINE = 19;
const COLUMNS = 120;
/** The foreground colours of SGR 31 to 36, on dark. */
const COLOURS = { 31: '#ff7b72', 32: '#7ee787', 33: '#e3b341', 34: '#79c0ff', 35: '#d2a8ff', 36: '#76e3ea' };

const llmspell = (...args) => execFileSync(process.execPath, [BIN, ...args], { cwd: work, stdio: 'pipe' });
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** What a command prints on a terminal, colours and all. */
function printed(...args) {
  const command = `stty cols ${COLUMNS}; ${[process.execPath, BIN, ...args].map(quoted).join(' ')}`;
  return execFileSync('script', ['-qec', command, '/dev/null'], {
    cwd: work,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: work, TERM: 'xterm', SHELL: '/bin/sh' },
  }).replaceAll('\r', '');
}

/** @param {[string, string][]} turns what was typed, and what was printed */
function terminal(turns) {
  const lines = turns.flatMap(([typed, output]) => [
    `\u001b[32m$\u001b[39m \u001b[1m${typed}\u001b[22m`,
    ...output.trimEnd().split('\n'),
  ]);
  const width = Math.max(...lines.map((line) => withoutCodes(line).length)) * CHARACTER + 32;
  const height = lines.length * LINE + 28;
  const rows = lines.map((line, i) => `<text x="16" y="${i * LINE + 30}" xml:space="preserve">${spans(line)}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${Math.ceil(width)} ${height}" width="${Math.ceil(width)}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>
`;
}

const CODE = /\u001b\[([0-9;]*)m/;
const withoutCodes = (line) =>
  line
    .split(CODE)
    .filter((_, i) => i % 2 === 0)
    .join('');

/** Text between the codes, each with what is switched on there. */
function spans(line) {
  const on = { colour: undefined, bold: false, dim: false };
  return line
    .split(CODE)
    .map((part, i) => {
      if (i % 2 === 0) return part === '' ? '' : `<tspan${styleOf(on)}>${escaped(part)}</tspan>`;
      for (const code of part.split(';').map(Number)) apply(on, code);
      return '';
    })
    .join('');
}

function apply(on, code) {
  if (code === 0) Object.assign(on, { colour: undefined, bold: false, dim: false });
  else if (code === 1) on.bold = true;
  else if (code === 2) on.dim = true;
  else if (code === 22) Object.assign(on, { bold: false, dim: false });
  else if (code === 39) on.colour = undefined;
  else if (code in COLOURS) on.colour = COLOURS[code];
}

const styleOf = ({ colour, bold, dim }) =>
  `${colour ? ` fill="${colour}"` : ''}${bold ? ' font-weight="bold"' : ''}${dim ? ' opacity="0.6"' : ''}`;
const escaped = (text) => text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);

/** The drawing of a timeline page, with the page's colours. */
function drawing(page) {
  const [style] = /(?<=<style>)[\s\S]*?(?=<\/style>)/.exec(page) ?? [''];
  const [svg] = /<svg[\s\S]*?<\/svg>/.exec(page) ?? [''];
  const rules = style.replace(/\nbody \{[^}]*\}/, '').replace(/svg \{[^}]*\}/, '');
  return svg
    .replace('<svg id="chart"', '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif"')
    .replace(/(?<=<svg[^>]*>)/, `\n<style>${rules}</style>\n<rect width="100%" height="100%" fill="var(--paper)"/>`)
    .concat('\n');
}

try {
  mkdirSync(target, { recursive: true });
  writeFileSync(join(work, 'llmspell.toml'), '[runtime.state_persistence.backup]\n');
  const change = (code) => llmspell('exec', code);
  change('for i = 1, 900 do State.set("agent:planner", "fact " .. i, "the answer is " .. i) end');
  change('for i = 1, 400 do State.set("session:42", "message " .. i, { text = "hello " .. i, at = i }) end');
  llmspell('backup', 'create', '--tag', 'nightly', '--pin', '-d', 'before the move');
  change('for i = 1, 120 do State.increment("tool:search", "calls " .. i % 7) end');
  llmspell('backup', 'create', '--incremental');
  const { id } = JSON.parse(llmspell('backup', 'create', '--incremental', '--json').toString());
  change('for i = 1, 500 do State.delete("agent:planner", "fact " .. i) end');
  llmspell('backup', 'restore', id, '--yes');
  change('for i = 1, 60 do State.set("cache", "page " .. i, ("x"):rep(400)) end');
  llmspell('backup', 'create', '--incremental', '--tag', 'nightly');
  const shown = [
    ['backup', 'list'],
    ['state', 'stats'],
  ];
  const turns = shown.map((args) => [`llmspell ${args.join(' ')}`, printed(...args)]);
  writeFileSync(join(target, 'backup-list.svg'), terminal(turns));
  llmspell('backup', 'timeline', '--html', 'timeline.html');
  writeFileSync(join(target, 'timeline.svg'), drawing(readFileSync(join(work, 'timeline.html'), 'utf8')));
} finally {
  rmSync(work, { recursive: true, force: true });
}
