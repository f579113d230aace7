// The program in a response.
import type { Language } from '../sandbox/types.ts';
import type { Candidate } from './trial.ts';

const NAMES: Readonly<Record<Language, RegExp>> = {
  python: /^(?:python3?|py)$/i,
  javascript: /^(?:javascript|js|node)$/i,
};
const FENCE = /^[ \t]*```[ \t]*(\w*)[^\n]*\n([\s\S]*?)^[ \t]*```[ \t]*$/gm;

/** The last fenced block in the language, or without the name of one; null where there is none. */
export function programIn(response: string, language: Language): Candidate | null {
  let source: string | null = null;
  for (const [, name, content] of response.matchAll(FENCE)) {
    if (name === '' || NAMES[language].test(name!)) source = content!;
  }
  return source === null || source.trim() === '' ? null : { language, source };
}
