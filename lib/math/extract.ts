// Where in a text the answer is.
import { endOfBoxes, lastBoxed } from './boxes.ts';
import { type Formula, joinedFormulas, percentBehind } from './formulas.ts';
import { statementOf } from './statements.ts';

export type Place = 'boxed' | 'marked' | 'stated' | 'whole' | 'formula' | 'number';

export interface Candidate {
  readonly place: Place;
  readonly text: string;
}

/**
 * strict, for rewards: \boxed{}, "#### ", "the answer is", or nothing but the answer. lenient: also the last formula, and the last
 * number of a text, which may be one that the question gave. gold: as lenient, and a box whose end is missing.
 */
export type Extraction = 'strict' | 'lenient' | 'gold';

/** Behind what is looked for, in UTF-16 code units: an answer is at the end. */
const WINDOW = 20_000;
/** Longest text that may as a whole be an answer. */
const WHOLE = 400;
/** So many of the last formulas and numbers are looked at. */
const FALLBACKS = 4;

/** Places where the answer may be, the likeliest first. */
export function candidates(text: string, extraction: Extraction): Candidate[] {
  const source = withoutDoubling(text.length > WINDOW ? text.slice(-WINDOW) : text);
  const found: Candidate[] = [];
  const add = (place: Place, content: string | null | undefined): void => {
    const trimmed = content?.trim();
    if (trimmed) found.push({ place, text: trimmed });
  };
  const boxed = lastBoxed(source, extraction === 'gold');
  const statement = statementOf(source);
  // Behind a box somebody may still change their mind; rewards want the box.
  const early = extraction !== 'strict' && statement?.final === true && statement.at > endOfBoxes(source);
  if (early && boxed !== null) add('stated', statement.texts[0]);
  add('boxed', boxed);
  add('marked', marked(source));
  for (const stated of statement?.texts ?? []) add('stated', stated);
  if (boxed === null && source.length <= WHOLE) add('whole', unwrapped(source));
  if (extraction !== 'strict') for (const { place, content } of fallbacks(source)) add(place, content);
  return found;
}

/** "#### 72", as solutions of GSM8K end. */
function marked(source: string): string | null {
  const at = source.lastIndexOf('####');
  if (at < 0) return null;
  return /^[^\n]*/.exec(source.slice(at + 4, at + 4 + WHOLE))?.[0] ?? null;
}

const DOUBLED =
  /\\\\(?=(?:boxed|d?frac|tfrac|left|right|sqrt|text|pi|leq?|geq?|infty|cup|pm|circ|times|cdot|theta)(?![a-zA-Z]))/;

/** LaTeX whose backslashes were escaped once too often, as of a string that was printed. */
function withoutDoubling(source: string): string {
  if (!DOUBLED.test(source) || /(?<!\\)\\(?:begin|frac)/.test(source)) return source;
  return source.replace(/\\\\/g, '\\').replace(/\\n(?![a-zA-Z])/g, '\n');
}

/** A text that is only formulas, without their signs. */
function unwrapped(source: string): string {
  const trimmed = source.trim().replace(/(?<!\.)\.$/, '');
  const [only, more] = joinedFormulas(trimmed);
  if (only === undefined || more !== undefined || only.from !== 0) return trimmed;
  const percent = percentBehind(trimmed, only.to);
  return trimmed.slice(only.to).trim() === '' || percent !== '' ? only.content + percent : trimmed;
}

/** A number, a fraction or a mixed number, with a sign of money or percent; no part of a word or a longer number. */
const NUMBER = new RegExp(
  [
    /(?<![\w.\\/])[-−]?\s?[$€£]?\s?/,
    /(?:\d+ +\d+\/\d+|(?:\d[\d,]{0,60}(?:\.\d{1,60})?|\.\d{1,60})(?:\s*\/\s*\d+)?)/,
    /(?:\s*(?:\\?%|percent|pct))?(?!\w{0,40}\d)/,
  ]
    .map(({ source }) => source)
    .join(''),
  'g',
);

/** The last formulas and numbers, the last one first; formulas that are one letter come behind all others. */
function fallbacks(source: string): { place: Place; content: string }[] {
  const formulas = joinedFormulas(source);
  const found = [
    ...formulas.map((formula) => ({ place: 'formula' as const, ...formula, content: withPercent(source, formula) })),
    ...numbersBetween(source, formulas),
  ].sort((a, b) => b.from - a.from);
  const isLetter = ({ content }: { content: string }): boolean => /^\\?[a-zA-Z]+$/.test(content);
  return [...found.filter((one) => !isLetter(one)), ...found.filter(isLetter)].slice(0, FALLBACKS);
}

const withPercent = (source: string, { content, to }: Formula): string => content + percentBehind(source, to);

function numbersBetween(
  source: string,
  formulas: readonly Formula[],
): { place: 'number'; from: number; content: string }[] {
  const found = [];
  let begin = 0;
  for (const { from, to } of [...formulas, { from: source.length, to: source.length }]) {
    for (const match of source.slice(begin, from).matchAll(NUMBER)) {
      found.push({ place: 'number' as const, from: begin + match.index, content: match[0].replace(/,$/, '') });
    }
    begin = to;
  }
  return found;
}
