// From tokens to a node, by recursive descent. What a reader would understand is understood: \frac13, 1 1/2, \sqrt3, 2\sin x.
import { atomOf, startsAtom } from './atoms.ts';
import { Budget, DEEPEST, TooMuchWork, Unreadable } from './limits.ts';
import { call, type Node, negative, type RelationOperator, text } from './node.ts';
import { mixedNumber, prime, productOf, quotientOf, sumOf } from './build.ts';
import { normalize } from './normalize.ts';
import { type Token, tokenize } from './tokens.ts';

const RELATIONS: Readonly<Record<string, RelationOperator>> = Object.assign(Object.create(null), {
  ...{ '=': '=', '<': '<', '>': '>', '<=': '<=', '>=': '>=', '!=': '!=', '\\le': '<=', '\\ge': '>=', '\\ne': '!=' },
  ...{
    '\\in': 'in',
    '\\approx': '~',
    '\\equiv': '=',
    '\\to': '=',
    '\\implies': '=',
    '\\Rightarrow': '=',
    '\\sim': '~',
    ...{ '\\simeq': '~', '\\cong': '~', '\\iff': '=', '≈': '~' },
    ':=': '=',
  },
});
const SET_OPERATORS = { '\\cup': 'cup', '\\cap': 'cap', '\\setminus': 'setminus' } as const;

/** Reads tokens one after the other. */
export class Parser {
  readonly budget: Budget;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Above 0 inside of |...| or \{...\}: a bar ends something. */
  bars = 0;

  constructor(tokens: readonly Token[], budget: Budget) {
    this.#tokens = tokens;
    this.budget = budget;
  }

  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }
  peek(ahead: number): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }
  take(): Token {
    this.budget.spend();
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Unreadable('it ends in the middle');
    return token;
  }
  /** Whether the next token is this operator or command. */
  is(...texts: readonly string[]): boolean {
    const { next } = this;
    return next !== undefined && (next.type === 'operator' || next.type === 'command') && texts.includes(next.text);
  }
  accept(...texts: readonly string[]): boolean {
    if (!this.is(...texts)) return false;
    this.take();
    return true;
  }
  expect(what: string): void {
    if (!this.accept(what)) throw new Unreadable(`${what} is missing`);
  }
  nested<T>(read: () => T): T {
    if (++this.#depth > DEEPEST) throw new TooMuchWork('it is nested too deeply');
    const result = read();
    this.#depth--;
    return result;
  }

  /** Items between separators, up to a token that is none. Where there are semicolons, commas only separate within a group. */
  items(): Node[] {
    const groups: Node[][] = [[]];
    let commas = false;
    for (let more = true; more; ) {
      if (this.#skipSeparators() && groups.at(-1)!.length > 0) groups.push([]);
      if (this.next === undefined || this.is(')', ']', '}', '\\}')) break;
      groups.at(-1)!.push(this.relation());
      this.#skipUnits();
      more = this.next?.type === 'separator';
      commas ||= more && this.next!.text !== ';';
    }
    if (!commas) return groups.flat();
    return groups
      .filter((group) => group.length > 0)
      .flatMap((group) =>
        groups.length === 1 || group.length === 1
          ? group
          : [{ kind: 'bracketed', open: '(', close: ')', items: group }],
      );
  }

  /** Whether a semicolon was among them. */
  #skipSeparators(): boolean {
    let semicolon = false;
    while (this.next?.type === 'separator') semicolon = this.take().text === ';' || semicolon;
    return semicolon;
  }

  relation(): Node {
    return this.nested(() => {
      const first = this.#ratio();
      const terms = [first];
      const operators: RelationOperator[] = [];
      for (;;) {
        this.#skipUnits();
        const { next } = this;
        const operator =
          next && (next.type === 'operator' || next.type === 'command') ? RELATIONS[next.text] : undefined;
        if (operator === undefined) break;
        this.take();
        this.accept('='); // \ge = and the like
        operators.push(operator);
        terms.push(this.#ratio());
      }
      return operators.length === 0 ? first : { kind: 'relation', terms, operators };
    });
  }

  /** 3 : 4, and the time 8:34. */
  #ratio(): Node {
    let left = this.setExpression();
    while (this.bars === 0 && this.is(':')) {
      this.take();
      left = { kind: 'quotient', top: left, bottom: this.setExpression() };
    }
    return left;
  }

  setExpression(): Node {
    let left = this.sum();
    for (;;) {
      const name = Object.keys(SET_OPERATORS).find((operator) => this.is(operator)) as
        | keyof typeof SET_OPERATORS
        | undefined;
      if (name === undefined) return left;
      this.take();
      left = { kind: 'setOperation', operator: SET_OPERATORS[name], left, right: this.sum() };
    }
  }

  sum(): Node {
    let left: Node | null = null;
    for (;;) {
      if (this.accept('\\pm', '\\mp')) {
        left = { kind: 'plusMinus', left, right: this.product() };
      } else if (this.is('+') && this.peek(1)?.text === '-' && this.peek(2)?.type !== 'separator' && left === null) {
        this.take();
        this.take();
        left = { kind: 'plusMinus', left, right: this.product() };
      } else if (this.accept('+')) left = left === null ? this.product() : sumOf(left, this.product());
      else if (this.accept('-'))
        left = left === null ? negative(this.product()) : sumOf(left, negative(this.product()));
      else if (left === null) left = this.product();
      else return left;
    }
  }

  product(): Node {
    let left = this.power();
    for (;;) {
      this.budget.spend();
      if (this.accept('*', '\\cdot', '\\times', '\\ast')) left = productOf(left, this.signed());
      else if (this.accept('/', '\\div')) left = quotientOf(left, this.signed());
      else if (this.accept('\\pmod'))
        atomOf(this); // a remark
      else if (this.accept('\\mod', '\\bmod')) left = call('mod', left, this.signed());
      else if (startsAtom(this)) left = this.#beside(left);
      else return left;
    }
  }

  /** A factor behind an operator may have a sign: 2 * -3. */
  signed(): Node {
    if (this.accept('-')) return negative(this.signed());
    if (this.accept('+')) return this.signed();
    return this.power();
  }

  /** Two factors without a sign between them, or the whole and the fraction of a mixed number. */
  #beside(left: Node): Node {
    const { next } = this;
    const whole = left.kind === 'number' && !left.decimal && left.value.d === 1n && !this.#closed;
    if (next?.type === 'number' || next?.type === 'repeating') {
      const fraction = next.gap === 'space' && this.peek(1)?.text === '/' && this.peek(2)?.type === 'number';
      if (!whole || !fraction) throw new Unreadable('numbers side by side');
      const top = this.power();
      this.take();
      const mixed = mixedNumber(left, quotientOf(top, this.power()));
      if (mixed === null) throw new Unreadable('a mixed number whose fraction is not below 1');
      return this.#postfix(mixed);
    }
    const isFraction = whole && this.is('\\frac');
    const right = this.power();
    return (isFraction ? mixedNumber(left, right) : null) ?? productOf(left, right);
  }

  /** Whether the token before closed a bracket: (2) 1/3 is no mixed number. */
  get #closed(): boolean {
    return this.#tokens[this.#at - 1]?.text === ')';
  }

  power(): Node {
    return this.nested(() => {
      let base = this.#postfix(atomOf(this));
      if (this.is('^')) {
        this.take();
        if (this.accept('\\circ')) base = { kind: 'degrees', of: base };
        else if (this.accept('\\prime', "'")) base = prime(base);
        else base = { kind: 'power', base, exponent: this.exponent() };
        base = this.#postfix(base);
        if (this.is('^')) throw new Unreadable('two exponents'); // a^b^c is ambiguous in LaTeX, too
      }
      return base;
    });
  }

  exponent(): Node {
    if (this.accept('-')) return negative(this.exponent());
    if (this.accept('+')) return this.exponent();
    const base = atomOf(this);
    if (!this.is('^')) return base;
    this.take();
    return { kind: 'power', base, exponent: this.exponent() };
  }

  #postfix(base: Node): Node {
    let node = base;
    for (;;) {
      if (this.is('!') && this.peek(1)?.text !== '=') {
        this.take();
        node = call(this.accept('!') ? 'doubleFactorial' : 'factorial', node);
      } else if (this.accept('%', '\\percent')) node = { kind: 'percent', of: node };
      else if (this.accept('\\degrees')) node = { kind: 'degrees', of: node };
      else if (this.accept("'")) node = prime(node);
      else return node;
    }
  }

  /** Units and words behind a value: 5 \text{ cm}^2, 12 apples per day. */
  #skipUnits(): void {
    const isUnit = (token: Token | undefined): boolean => token?.type === 'unit' || token?.type === 'word';
    let skipped = false;
    while (isUnit(this.next) || this.is('\\$')) {
      this.take();
      skipped = true;
      if (this.is('^') && this.peek(1) !== undefined) {
        this.take();
        this.accept('-');
        atomOf(this);
      }
      if (this.is('/', '\\cdot') && (isUnit(this.peek(1)) || this.peek(1)?.type === 'letter')) {
        this.take();
        if (this.next?.type === 'letter') this.take();
      }
    }
    if (skipped && this.is('.') && this.peek(1) === undefined) this.take();
  }
}

/** Reads an answer. Throws `Unreadable` where it is neither mathematics nor words, `TooMuchWork` where it is too large. */
export function parse(source: string, budget = new Budget()): Node {
  const cleaned = normalize(source)
    .replace(/^(?:\\\$|\$)\s*(?=[\d.-])/, '')
    .replace(/(\d)\s*(?:\\\$|\$)$/, '$1')
    .replace(/(?<!\.)[.,;:]\s*$/, '')
    .replace(/^(?:[:=,]|\\approx(?![a-zA-Z])|\.(?!\d))\s*/, '')
    .trim();
  if (cleaned === '') throw new Unreadable('it is empty');
  const tokens = tokenize(cleaned, budget);
  const words = wordsOf(tokens, cleaned);
  if (words !== null) return words;
  const parser = new Parser(tokens, budget);
  const items = parser.items();
  if (parser.next !== undefined) throw new Unreadable(`"${parser.next.text}" was not expected`);
  if (items.length === 0) throw new Unreadable('there is nothing in it');
  return items.length === 1 ? items[0]! : { kind: 'list', items, braces: false };
}

/** Text where there are words and no mathematics; a list of texts where commas are between them. */
function wordsOf(tokens: readonly Token[], source: string): Node | null {
  const mathematics = tokens.some(({ type }) => type === 'number' || type === 'repeating');
  const words = tokens.filter(({ type }) => type === 'word' || type === 'unit');
  if (mathematics || words.length === 0) return null;
  const plain = tokens.every(
    ({ type, text: t }) => type !== 'command' && !(type === 'operator' && /[=<>+*/^_|]/.test(t)),
  );
  if (!plain) return null;
  const whole = plainText(source);
  const items = whole.split(/\s*[,;]\s*(?:and |or )?|\s+(?:and|or)\s+/).filter((item) => item !== '');
  // Short items: names or letters. Longer ones are a sentence.
  if (items.length < 2 || items.some((item) => item.split(' ').length > 2)) return text(whole);
  return { kind: 'list', items: items.map(text), braces: false };
}

/** Words alone: no commands, no punctuation around them. */
export function plainText(source: string): string {
  return source
    .replace(/\\(?:text|textbf|textit|textrm|mathrm|mbox)\s*/g, ' ')
    .replace(/[{}$\\]/g, ' ')
    .replace(/\s+/g, ' ')
    .replace(/^[\s(."']+|[\s).,"']+$/g, '')
    .trim()
    .toLowerCase();
}
