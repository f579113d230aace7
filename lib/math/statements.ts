// "The answer is ...": what a text says its answer is.
import { type Formula, joinedFormulas, percentBehind } from './formulas.ts';

export interface Statement {
  readonly at: number;
  /** "final answer", and not only "answer" or "result". */
  readonly final: boolean;
  /** What may be meant, the likeliest first. */
  readonly texts: readonly string[];
}

const MARKER =
  /(final answer|answer|result)\s{0,9}(?:\*\*)?\s{0,9}(?:is|are|:|=|would be)\s{0,9}:?\s{0,9}(?:\*\*)?\s*/gi;
/** Longest statement that is read, in UTF-16 code units. */
const LENGTH = 600;
const VERBS = /(?:\b(?:is|are|equals|be|by)\b|=)\s*(?=\S)/g;

/** The last statement of a text; null where there is none. */
export function statementOf(source: string): Statement | null {
  const match = [...source.matchAll(MARKER)].at(-1);
  if (match === undefined) return null;
  const begin = match.index + match[0].length;
  const rest = source.slice(begin, begin + LENGTH);
  const place = { at: match.index, final: /^final/i.test(match[1]!) };
  const formula = joinedFormulas(rest)[0];
  if (formula !== undefined && /^[\s"':*(]*$/.test(rest.slice(0, formula.from))) {
    return { ...place, texts: [contentOf(rest, formula)] };
  }
  const sentence = /^(?:[^\n.]|\.(?=\d))+/.exec(rest)?.[0].replace(/["*\s]+$/, '');
  if (sentence === undefined) return null;
  return {
    ...place,
    texts: sentence.trim().split(/\s+/).length > 4 ? [...behindVerb(sentence), sentence] : [sentence],
  };
}

/** The largest n is 34: what stands behind the last verb. */
function behindVerb(sentence: string): string[] {
  const verb = [...sentence.matchAll(VERBS)].at(-1);
  if (verb === undefined) return [];
  const words = sentence.slice(verb.index + verb[0].length).trim();
  const formula = joinedFormulas(words)[0];
  return [formula !== undefined && formula.from === 0 ? contentOf(words, formula) : words];
}

const contentOf = (source: string, { content, to }: Formula): string => content + percentBehind(source, to);
