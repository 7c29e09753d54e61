/** A fenced block of a document: ```` ```language name ````, with where its content stands in the text. */
export interface Block {
  language: string;
  /** What follows the language: the file that the block is the content of. */
  name: string | undefined;
  content: string;
  start: number;
  end: number;
  line: number;
  /** Why it is not run: the comment `<!-- not run: … -->` on the line before it. */
  notRun: string | undefined;
}

const FENCE =
  /(?:<!-- not run: (?<notRun>.+?) -->\n)?^```(?<language>\w*)(?: (?<name>\S+))?\n(?<content>[\s\S]*?)^```$/gm;

export function blocksOf(document: string): Block[] {
  return [...document.matchAll(FENCE)].map(({ index, 0: whole, groups = {} }) => {
    const { language = '', name, content = '', notRun } = groups;
    const end = index + whole.length - '```'.length;
    const start = end - content.length;
    return { language, name, content, start, end, line: lineAt(document, start), notRun };
  });
}

const lineAt = (document: string, index: number): number => document.slice(0, index).split('\n').length;

/** What differs from run to run, in the order in which it is looked for; an id at most 16 digits long stands for itself. */
const VOLATILE: readonly [RegExp, string][] = [
  // How long a test took is told only where it was long.
  [/ \(\d+\.\d+ s\)$/gm, ''],
  [/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, '<time>'],
  [/\b[0-9a-f]{64}\b/g, '<sha256>'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{8,16}\b/g, '<id>'],
  [/\brollback-\d+/g, '<rollback>'],
  [/\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB)\b/g, '<size>'],
  [/\b\d+(?:\.\d+)? (?:ms|s|min|h|d)\b/g, '<span>'],
  [/\b1\d{9}(?:\.\d+|\d{3})?\b/g, '<unix time>'],
  [/#\d+\b/g, '<change>'],
  [/ {2,}/g, '  '],
];

/** The same for two outputs that differ only in what differs from run to run. */
export const stable = (output: string): string =>
  VOLATILE.reduce((text, [pattern, name]) => text.replace(pattern, name), output).trim();

/** The ids of a text, in order. */
export const idsIn = (text: string): string[] =>
  [...text.matchAll(/\b(?=[0-9a-f]*\d)[0-9a-f]{8,16}\b|\brollback-\d+/g)].map(([id]) => id);
