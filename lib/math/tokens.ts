// Normalised mathematics as tokens.
import { type Budget, LONGEST, TooMuchWork } from './limits.ts';
import { FUNCTIONS, UNITS } from './words.ts';

/** What stands before a token. */
export type Gap = 'none' | 'space' | 'line';

export type Token =
  | { readonly type: 'number'; readonly text: string; readonly gap: Gap }
  /** A repeating decimal: 0.1(6) is whole 0.1, repeated 6. */
  | { readonly type: 'repeating'; readonly text: string; readonly repeated: string; readonly gap: Gap }
  | { readonly type: 'letter'; readonly text: string; readonly gap: Gap }
  | { readonly type: 'command'; readonly text: string; readonly gap: Gap }
  /** Words: of \text{}, or plain ones that are no letters side by side. */
  | { readonly type: 'word'; readonly text: string; readonly gap: Gap }
  | { readonly type: 'unit'; readonly text: string; readonly gap: Gap }
  /** Between items: , ; and or */
  | { readonly type: 'separator'; readonly text: string; readonly gap: Gap }
  | { readonly type: 'operator'; readonly text: string; readonly gap: Gap };

const OPENING = ['(', '[', '{', '\\{'];
const CLOSING = [')', ']', '}', '\\}'];
const THOUSANDS = /(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+)(?![\d])(?:\.\d+)?/y;
const NUMBER = /(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+(?![a-zA-Z\d]))?|\d+\.(?!\d)/y;
const REPEATING = /(\d*\.\d*)\s*(?:\\overline|\\dot)\s*\{?(\d+)\}?|(\d*\.\d*)\((\d+)\)/y;
/** Digits that are letters, too: A5_{11}, \text{A5}_{11}. */
const BASED = /(?:\\(?:text|mathrm)\{)?(?=[A-F]{0,40}\d)([0-9A-F]{1,40})\}?(?=_\{?1[1-6](?!\d))/y;
const TEXT = /\\(?:text|textbf|textit|textrm|textsf|texttt|textnormal|mathrm|mbox|hbox)\s*\{/y;
const COMMAND = /\\(?:[a-zA-Z]+|[^a-zA-Z\s])/y;
const WORD = /[a-zA-Z]{2,}(?:[-'][a-zA-Z]+)*/y;
const OPERATORS = ['<=', '>=', '!=', '≠', '->'];
/** Words between the items of a list. */
const BETWEEN = new Set(['and', 'or', '&']);

function match(pattern: RegExp, source: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(source);
}

/** Throws `TooMuchWork` for text that is too long. */
export function tokenize(source: string, budget: Budget): Token[] {
  if (source.length > LONGEST) throw new TooMuchWork(`an answer of ${source.length} characters`);
  const tokens: Token[] = [];
  let at = 0;
  let depth = 0;
  let gap = 'none' as Gap;
  const push = (type: Token['type'], text: string, length: number): void => {
    tokens.push({ type, text, gap } as Token);
    at += length;
    gap = 'none';
  };
  while (at < source.length) {
    budget.spend();
    const c = source[at]!;
    if (/\s/.test(c)) {
      gap = c === '\n' || gap === 'line' ? 'line' : 'space';
      at++;
      continue;
    }
    const repeating = match(REPEATING, source, at);
    if (repeating) {
      const [whole, before, digits, beforeToo, digitsToo] = repeating;
      tokens.push({ type: 'repeating', text: before ?? beforeToo!, repeated: digits ?? digitsToo!, gap });
      gap = 'none';
      at += whole.length;
      continue;
    }
    const based = match(BASED, source, at);
    if (based) {
      push('number', based[1]!, based[0].length);
      continue;
    }
    const numeral = (depth === 0 && match(THOUSANDS, source, at)) || match(NUMBER, source, at);
    if (numeral) {
      push('number', numeral[0].replace(/[, ]/g, '').replace(/\.$/, ''), numeral[0].length);
      continue;
    }
    if (match(TEXT, source, at)) {
      const open = source.indexOf('{', at);
      const close = closingBrace(source, open);
      const content = source.slice(open + 1, close);
      // \mathrm{e} is the number; \text{e} is a word, and \mathrm{m} a unit.
      if (source.startsWith('\\mathrm', at) && /^\s*[ei]\s*$/.test(content)) {
        push('letter', content.trim(), close + 1 - at);
      } else pushText(content, close + 1 - at);
      continue;
    }
    const word = match(WORD, source, at);
    if (word && !isProduct(word[0])) {
      pushText(word[0], word[0].length);
      continue;
    }
    if (/[a-zA-Z]/.test(c)) {
      push('letter', c, 1);
      continue;
    }
    if (c === '\\') {
      const command = match(COMMAND, source, at)?.[0] ?? '\\';
      if (OPENING.includes(command)) depth++;
      if (CLOSING.includes(command)) depth--;
      push('command', command, command.length);
      continue;
    }
    const operator = OPERATORS.find((o) => source.startsWith(o, at)) ?? c;
    if (OPENING.includes(operator)) depth++;
    if (CLOSING.includes(operator)) depth--;
    push(operator === ',' || operator === ';' ? 'separator' : 'operator', operator, operator.length);
  }
  return tokens;

  function pushText(content: string, length: number): void {
    const trimmed = content.trim().replace(/^[,.]\s*|\s*[,.]$/g, '');
    const lower = trimmed.toLowerCase();
    if (BETWEEN.has(lower)) push('separator', lower, length);
    else if (lower === 'min' && tokens.at(-1)?.type === 'number') push('unit', lower, length);
    else if (lower in FUNCTIONS) push('command', `\\${FUNCTIONS[lower]!}`, length);
    else if (/^[a-zA-Z]$/.test(trimmed) && content.length === length) push('letter', trimmed, length);
    else if (UNITS.has(lower)) push('unit', lower, length);
    else if (/^[\d.,\s]+$/.test(trimmed) && trimmed !== '') {
      push('number', trimmed.replace(/[,\s]/g, ''), length);
    } else push('word', trimmed, length);
  }
}

function closingBrace(source: string, open: number): number {
  let depth = 0;
  for (let i = open; i < source.length; i++) {
    if (source[i] === '{' && source[i - 1] !== '\\') depth++;
    if (source[i] === '}' && source[i - 1] !== '\\' && --depth === 0) return i;
  }
  return source.length;
}

/** Letters side by side that stand for a product: xy, abc; not words. */
function isProduct(word: string): boolean {
  const lower = word.toLowerCase();
  if (lower in FUNCTIONS || UNITS.has(lower) || BETWEEN.has(lower)) return false;
  return word.length <= 3 && !SHORT_WORDS.has(lower);
}

const SHORT_WORDS = new Set([
  ...[
    'yes',
    'no',
    'the',
    'is',
    'are',
    'not',
    'any',
    'all',
    'for',
    'if',
    'to',
    'of',
    'in',
    'on',
    'at',
    'by',
    'one',
    'two',
    'six',
    'ten',
  ],
  ...[
    'odd',
    'dne',
    'sum',
    'set',
    'day',
    'mon',
    'tue',
    'wed',
    'thu',
    'fri',
    'sat',
    'sun',
    'red',
    'she',
    'he',
    'it',
    'as',
    'we',
    'so',
  ],
]);
