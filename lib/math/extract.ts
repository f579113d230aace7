// Where in a text the answer is.

export type Place = 'boxed' | 'marked' | 'stated' | 'whole' | 'formula' | 'number';

export interface Candidate {
  readonly place: Place;
  readonly text: string;
}

/**
 * strict, for rewards: \boxed{}, "#### ", "the answer is", or nothing but the answer. lenient: also the last formula, and the last
 * number of a text, which may be one that the question gave.
 */
export type Extraction = 'strict' | 'lenient';

/** Behind what is looked for, in UTF-16 code units: an answer is at the end. */
const WINDOW = 20_000;

/** Places where the answer may be, the likeliest first. */
export function candidates(text: string, extraction: Extraction): Candidate[] {
  const source = text.length > WINDOW ? text.slice(-WINDOW) : text;
  const found: Candidate[] = [];
  const add = (place: Place, content: string | null | undefined): void => {
    const trimmed = content?.trim();
    if (trimmed) found.push({ place, text: trimmed });
  };
  const boxed = lastBoxed(source);
  add('boxed', boxed);
  add('marked', /####[ \t]*([^\n]+)(?![\s\S]*####)/.exec(source)?.[1]);
  add('stated', stated(source));
  if (boxed === null && source.length <= 400) add('whole', unwrapped(source));
  if (extraction === 'strict') return found;
  for (const formula of formulas(source).slice(-3).reverse()) add('formula', formula);
  add('number', lastNumber(source));
  return found;
}

/** The content of the last \boxed{}; of several next to each other, all of them. Null where there is none that is closed. */
export function lastBoxed(source: string): string | null {
  const boxes: { from: number; to: number; content: string }[] = [];
  const pattern = /\\(?:boxed|fbox)\s*/g;
  for (let match = pattern.exec(source); match !== null; match = pattern.exec(source)) {
    const open = pattern.lastIndex;
    if (source[open] !== '{') {
      const single = /^[^\s\\{}$]+/.exec(source.slice(open, open + 40))?.[0];
      if (single) boxes.push({ from: match.index, to: open + single.length, content: single });
      continue;
    }
    const close = closing(source, open);
    if (close === null) continue;
    boxes.push({ from: match.index, to: close + 1, content: source.slice(open + 1, close) });
    pattern.lastIndex = close + 1;
  }
  const last = boxes.pop();
  if (last === undefined) return null;
  const parts = [last.content + percentBehind(source, last.to)];
  let { from } = last;
  for (let box = boxes.pop(); box !== undefined; box = boxes.pop()) {
    if (!/^[\s,$]*(?:and|or)?[\s,$]*$/.test(source.slice(box.to, from))) break;
    parts.unshift(box.content);
    from = box.from;
  }
  return parts.map(withoutFormulaSigns).join(', ');
}

/** Index of the brace that closes the one at `open`; null where none does. */
function closing(source: string, open: number): number | null {
  let depth = 0;
  for (let i = open; i < source.length; i++) {
    if (source[i] === '\\') i++;
    else if (source[i] === '{') depth++;
    else if (source[i] === '}' && --depth === 0) return i;
  }
  return null;
}

const percentBehind = (source: string, at: number): string =>
  /^\s*\$?\s*(?:\\?%|percent|pct)/.test(source.slice(at, at + 20)) ? '\\%' : '';

/** 12 $ and $ 13: formulas inside of a box. */
const withoutFormulaSigns = (text: string): string =>
  text
    .replace(/(?<!\\)\$/g, ' ')
    .replace(/\\[()]/g, ' ')
    .trim();

const STATEMENT = /(?:final answer|answer|result)\s*(?:\*\*)?\s*(?:is|are|:|=|would be)\s*:?\s*(?:\*\*)?\s*/gi;

function stated(source: string): string | null {
  let last: RegExpExecArray | null = null;
  STATEMENT.lastIndex = 0;
  for (let match = STATEMENT.exec(source); match !== null; match = STATEMENT.exec(source)) last = match;
  if (last === null) return null;
  const rest = source.slice(last.index + last[0].length, last.index + last[0].length + 600);
  const formula = FORMULA.exec(rest);
  FORMULA.lastIndex = 0;
  if (formula !== null && /^[\s"':*(]*$/.test(rest.slice(0, formula.index))) {
    return contentOf(formula) + percentBehind(rest, formula.index + formula[0].length);
  }
  return /^(?:[^\n.]|\.(?=\d))+/.exec(rest)?.[0].replace(/["*]+$/g, '') ?? null;
}

const FORMULA = /\$\$([\s\S]+?)\$\$|(?<!\\)\$((?:\\\$|[^$\n])+?)(?<!\\)\$|\\\[([\s\S]+?)\\\]|\\\(([^\n]+?)\\\)/g;
const contentOf = (match: RegExpExecArray): string => match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';

function formulas(source: string): string[] {
  const found: string[] = [];
  FORMULA.lastIndex = 0;
  for (let match = FORMULA.exec(source); match !== null; match = FORMULA.exec(source)) {
    found.push(contentOf(match) + percentBehind(source, match.index + match[0].length));
  }
  return found;
}

/** A text that is one formula, without its signs. */
function unwrapped(source: string): string {
  const trimmed = source.trim().replace(/[.]$/, '');
  FORMULA.lastIndex = 0;
  const match = FORMULA.exec(trimmed);
  FORMULA.lastIndex = 0;
  if (match === null || match.index !== 0) return trimmed;
  const behind = trimmed.slice(match[0].length);
  return behind.trim() === '' || percentBehind(behind, 0) !== ''
    ? contentOf(match) + percentBehind(behind, 0)
    : trimmed;
}

const NUMBER =
  /(?<![\w.\\])[-−]?\s?[$€£]?\s?(?:\d[\d,]*(?:\.\d+)?|\.\d+)(?:\s*\/\s*\d+)?(?:\s*(?:\\?%|percent|pct))?(?![\w]*\d)/g;

function lastNumber(source: string): string | null {
  const found = source.match(NUMBER)?.at(-1);
  return found?.replace(/,$/, '') ?? null;
}
