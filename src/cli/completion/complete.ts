import { createProgram } from '../program.js';
import { type Candidate, completionOf, matching, typedOption } from './words.js';

/**
 * What a shell asks at a Tab: `llmspell __complete WORD...`, the words after the program's name, the last one as far as it is typed.
 * Answers on stdout, a candidate a line, with a tab before its description; `:files` alone leaves it to the shell to offer files.
 * Never fails: a Tab is no place for an error.
 */
export async function complete(words: readonly string[]): Promise<number> {
  try {
    const candidates = await candidatesFor(words);
    const text = candidates === 'files' ? ':files\n' : candidates.map(lineOf).join('');
    await new Promise((resolve) => process.stdout.write(text, resolve));
  } catch {
    // Nothing is offered.
  }
  return 0;
}

async function candidatesFor(words: readonly string[]): Promise<Candidate[] | 'files'> {
  const program = createProgram({ signal: new AbortController().signal, exitCode: 0 });
  const completion = completionOf(program, words);
  if (completion.kind === 'files') return 'files';
  if (completion.kind === 'words') return completion.candidates;
  const { liveCandidates } = await import('./live.js');
  const live = matching(completion.prefix, await liveCandidates(completion, typedOption(program, words, '--config')));
  return live.kind === 'words' ? live.candidates : [];
}

const lineOf = ({ value, description }: Candidate): string =>
  description === undefined ? `${value}\n` : `${value}\t${description.replace(/\s+/g, ' ')}\n`;
