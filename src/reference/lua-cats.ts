import { classes, formsOf, sections } from './index.js';
import type { ClassReference, FunctionReference, Parameter } from './model.js';

/** The definitions of `State` as lua-language-server reads them. */
export function luaDefinitions(version: string): string {
  const functions = sections.flatMap((section) => section.functions.map((each) => functionText(each, section.text)));
  return `${[`---@meta\n-- Written by \`llmspell types\` of llmspell ${version}.`, VALUE, ...classes.map(classText), STATE, ...functions].join('\n\n')}\n`;
}

const VALUE = `---What \`State\` keeps: nil, booleans, numbers, strings of any bytes, and tables of these.
---@alias llmspell.Value nil|boolean|number|string|table`;

const STATE = `---Keeps Lua values under scoped keys. Every function is synchronous: when it returns, its effect is visible to the next line.
---@class llmspell.State
State = {}`;

const classText = ({ name, text, fields }: ClassReference): string =>
  [`---${text}`, `---@class llmspell.${name}`, ...fields.map(fieldText)].join('\n');

const fieldText = ({ name, type, text, isOptional }: Parameter): string =>
  `---@field ${name}${isOptional ? '?' : ''} ${type} # ${text}`;

function functionText(reference: FunctionReference, sectionText: string): string {
  const [parameters = [], short] = formsOf(reference);
  const description = [
    reference.text,
    '',
    sectionText,
    ...(reference.raises === undefined ? [] : ['', `Raises: ${reference.raises}.`]),
    '',
    '```lua',
    ...reference.example.split('\n'),
    '```',
  ];
  const head = [
    ...description.map((line) => `---${line}`),
    ...(short ? [`---@overload ${signatureOf(short, reference)}`] : []),
    ...parameters.map(
      ({ name, type, text, isOptional }) => `---@param ${name}${isOptional ? '?' : ''} ${type} # ${text}`,
    ),
    ...(reference.result ? [`---@return ${reference.result.type} # ${reference.result.text}`] : []),
  ].join('\n');
  const names = parameters.map(({ name }) => name).join(', ');
  const aliases = (reference.aliases ?? []).map((alias) => `\nState.${alias} = State.${reference.name}`);
  return `${head}\nfunction State.${reference.name}(${names}) end\n${aliases.join('')}`.trimEnd();
}

function signatureOf(parameters: readonly Parameter[], { result }: FunctionReference): string {
  const list = parameters.map(({ name, type, isOptional }) => `${name}${isOptional ? '?' : ''}: ${type}`).join(', ');
  return `fun(${list})${result ? `: ${result.type}` : ''}`;
}
