// The formulas of a text: what stands between $, $$, \( \) and \[ \]. One pass, however many signs have no partner.

export interface Formula {
  /** Of the whole, with its signs; `to` is behind it. */
  readonly from: number;
  readonly to: number;
  readonly content: string;
}

/** In order. A formula between $ or \( \) is on one line. */
export function formulasOf(source: string): Formula[] {
  const found: Formula[] = [];
  const next = finder(source);
  let at = 0;
  const add = (opener: number, close: number, closer: number): boolean => {
    if (close < 0) return false;
    const content = source.slice(at + opener, close).trim();
    if (content !== '') found.push({ from: at, to: close + closer, content });
    at = close + closer;
    return true;
  };
  while (at < source.length) {
    const c = source[at];
    if (c === '\\') {
      const opener = source[at + 1];
      if (opener === '[' && add(2, next('\\]', at + 2), 2)) continue;
      if (opener === '(' && add(2, onLine(next('\\)', at + 2), next('\n', at + 2)), 2)) continue;
      at += 2;
    } else if (c === '$') {
      if (source[at + 1] === '$') {
        if (!add(2, next('$$', at + 2), 2)) at += 2;
      } else if (!add(1, closingDollar(source, at + 1), 1)) at++;
    } else at++;
  }
  return found;
}

const onLine = (close: number, line: number): number => (line >= 0 && line < close ? -1 : close);

/** indexOf that remembers what it found, so that a text is searched once for each sign. */
function finder(source: string): (sign: string, from: number) => number {
  const known = new Map<string, { from: number; at: number }>();
  return (sign, from) => {
    const last = known.get(sign);
    if (last && last.from <= from && (last.at < 0 || last.at >= from)) return last.at;
    const at = source.indexOf(sign, from);
    known.set(sign, { from, at });
    return at;
  };
}

function closingDollar(source: string, from: number): number {
  for (let i = from; i < source.length; i++) {
    const c = source[i];
    if (c === '\\') i++;
    else if (c === '\n') return -1;
    else if (c === '$') return i;
  }
  return -1;
}

const BETWEEN = /^\s*(?:[,;]\s*(?:and|or)?|and|or)\s*$/;

/** $1$ and $2$: formulas that only a comma or "and" separates become one list. */
export function joinedFormulas(source: string): Formula[] {
  const joined: Formula[] = [];
  for (const formula of formulasOf(source)) {
    const before = joined.at(-1);
    if (before !== undefined && BETWEEN.test(source.slice(before.to, formula.from))) {
      joined[joined.length - 1] = { ...before, to: formula.to, content: `${before.content}, ${formula.content}` };
    } else joined.push(formula);
  }
  return joined;
}

/** What a percent sign behind a formula or box adds to it. */
export const percentBehind = (source: string, at: number): string =>
  /^\s*\$?\s*(?:\\?%|percent|pct)/.test(source.slice(at, at + 20)) ? '\\%' : '';
