// The content of \boxed{}.
import { percentBehind } from './formulas.ts';

interface Box {
  readonly from: number;
  /** Behind the closing brace. */
  readonly to: number;
  readonly content: string;
}

const MOST_BOXES = 64;

/**
 * The content of the last \boxed{}; of several that belong together, all of them, separated by commas. Null where there is none
 * that is closed; `unclosed` takes one whose end is missing, too.
 */
export function lastBoxed(source: string, unclosed = false): string | null {
  const boxes = boxesOf(source, unclosed);
  const last = boxes.pop();
  if (last === undefined) return null;
  const parts = [last.content + percentBehind(source, last.to)];
  let { from } = last;
  for (let box = boxes.pop(); box !== undefined; box = boxes.pop()) {
    if (!belongTogether(source.slice(box.to, from))) break;
    parts.unshift(box.content);
    from = box.from;
  }
  return parts.map(withoutFormulaSigns).join(', ');
}

/** Where the last box ends; -1: nowhere. */
export const endOfBoxes = (source: string): number => boxesOf(source, false).at(-1)?.to ?? -1;

function boxesOf(source: string, unclosed: boolean): Box[] {
  const starts = [...source.matchAll(/\\(?:boxed|fbox)(?![a-zA-Z])\s*/g)].slice(-MOST_BOXES);
  if (starts.length === 0) return [];
  const closing = closingBraces(source, starts[0]!.index);
  const boxes: Box[] = [];
  for (const match of starts) {
    const open = match.index + match[0].length;
    if (match.index < (boxes.at(-1)?.to ?? 0)) continue; // inside of the one before
    if (source[open] !== '{') {
      const single = /^[^\s\\{}$]+/.exec(source.slice(open, open + 40))?.[0];
      if (single) boxes.push({ from: match.index, to: open + single.length, content: single });
      continue;
    }
    const close = closing.get(open) ?? (unclosed ? source.length : undefined);
    if (close === undefined) continue;
    boxes.push({ from: match.index, to: close + 1, content: source.slice(open + 1, close) });
  }
  return boxes;
}

/** For each opening brace behind `from` the one that closes it. */
function closingBraces(source: string, from: number): Map<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (let i = from; i < source.length; i++) {
    const c = source[i];
    if (c === '\\') i++;
    else if (c === '{') open.push(i);
    else if (c === '}' && open.length > 0) pairs.set(open.pop()!, i);
  }
  return pairs;
}

const SIGNS = /(?<!\\)\$+|\\[()[\]]/g;
const SPACES = /\\(?:quad|qquad|,|;|:|!| )|[\s~]+/g;

/**
 * \boxed{1}, \boxed{2} and \boxed{3} are one answer. Boxes next to each other are, too, but not across the end of a formula; in one
 * formula an "and" in words is enough: \boxed{1} \text{ in the first case and } \boxed{2}.
 */
function belongTogether(between: string): boolean {
  if (between.length > 200) return false;
  const words = between.replace(SIGNS, '').replace(SPACES, ' ').trim();
  const across = words !== between.replace(SPACES, ' ').trim();
  if (/^\\text\s*\{[^{}]*\b(?:and|or)\b[^{}]*\}$/.test(words)) return !across || words.length < 20;
  return words === '' ? !across : /^(?:[,;]\s*(?:and|or)?|and|or)$/.test(words);
}

/** 12 $ and $ 13: formulas inside of a box. */
const withoutFormulaSigns = (text: string): string =>
  text
    .replace(/(?<!\\)\$/g, ' ')
    .replace(/\\[()]/g, ' ')
    .trim();
