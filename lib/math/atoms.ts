// The parts that nothing binds tighter than: numbers, letters, brackets, fractions, functions.
import { Unreadable } from './limits.ts';
import { call, type Node, negative, number } from './node.ts';
import type { Parser } from './parse.ts';
import { add, fromDecimal, type Rational, rational } from './rational.ts';

const GREEK =
  /^\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa|lambda|mu|nu|xi|rho|sigma|tau|upsilon|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega|ell|hbar|ldots)$/;
const UNARY = new Set(
  [
    'sin',
    'cos',
    'tan',
    'cot',
    'sec',
    'csc',
    'ln',
    'exp',
    'arcsin',
    'arccos',
    'arctan',
    'arccot',
    'sinh',
    'cosh',
    'tanh',
    'log',
    'lg',
  ].map((f) => `\\${f}`),
);
const MANY = new Set(['\\max', '\\min', '\\gcd', '\\lcm', '\\abs', '\\floor', '\\ceil', '\\cbrt', '\\factorial']);
const INVERSE: Readonly<Record<string, string>> = {
  ...{ sin: 'arcsin', cos: 'arccos', tan: 'arctan', cot: 'arccot' },
};
const ATOMS = new Set([
  ...[
    '\\frac',
    '\\sqrt',
    '\\binom',
    '\\pi',
    '\\infty',
    '\\emptyset',
    '\\lfloor',
    '\\lceil',
    '\\begin',
    '\\{',
    '\\sum',
    '\\prod',
  ],
  ...['\\mathbb', '\\overline', '\\|', '\\text'],
]);

/** Whether the next token begins a factor. */
export function startsAtom(p: Parser): boolean {
  const { next } = p;
  if (next === undefined) return false;
  if (next.type === 'number' || next.type === 'letter' || next.type === 'repeating') return true;
  if (next.type === 'operator')
    return next.text === '(' || next.text === '{' || next.text === '[' || (next.text === '|' && p.bars === 0);
  if (next.type !== 'command') return false;
  return ATOMS.has(next.text) || UNARY.has(next.text) || MANY.has(next.text) || GREEK.test(next.text);
}

export function atomOf(p: Parser): Node {
  return p.nested(() => {
    const token = p.take();
    switch (token.type) {
      case 'number':
        return p.is('_') ? based(p, token.text) : number(decimal(token.text), token.text.includes('.'));
      case 'repeating':
        return number(repeatingDecimal(token.text, token.repeated));
      case 'letter':
        return letter(p, token.text);
      case 'word':
        return { kind: 'text', text: token.text.toLowerCase() };
      case 'operator':
        return bracket(p, token.text);
      case 'command':
        return command(p, token.text);
      default:
        throw new Unreadable(`"${token.text}" was not expected`);
    }
  });
}

function decimal(text: string): Rational {
  const value = fromDecimal(text);
  if (value === null) throw new Unreadable('a number is too large');
  return value;
}

function repeatingDecimal(text: string, repeated: string): Rational {
  const places = (text.split('.')[1] ?? '').length;
  const start = decimal(text === '.' ? '0' : text.startsWith('.') ? `0${text}` : text.replace(/\.$/, ''));
  const tail = rational(BigInt(repeated), (10n ** BigInt(repeated.length) - 1n) * 10n ** BigInt(places));
  const sum = tail && add(start, tail);
  if (sum === null) throw new Unreadable('a repeating decimal is too long');
  return sum;
}

function letter(p: Parser, name: string): Node {
  if (!p.is('_')) {
    if (name === 'e') return { kind: 'constant', name: 'e' };
    if (name === 'i') return { kind: 'constant', name: 'i' };
    return { kind: 'symbol', name };
  }
  return { kind: 'symbol', name: `${name}_${subscript(p)}` };
}

function subscript(p: Parser): string {
  p.take();
  if (!p.accept('{')) return p.take().text;
  let content = '';
  for (let depth = 1; ; ) {
    const { text } = p.take();
    if (text === '{') depth++;
    if (text === '}' && --depth === 0) return content;
    content += text;
  }
}

function based(p: Parser, digits: string): Node {
  const base = Number(subscript(p));
  if (!Number.isInteger(base) || base < 2 || base > 36) throw new Unreadable('a subscript that is no base');
  return { kind: 'based', digits, base };
}

function bracket(p: Parser, open: string): Node {
  switch (open) {
    case '(':
    case '[':
      return inBrackets(p, open);
    case '{':
      return group(p);
    case '|': {
      p.bars++;
      const inner = p.relation();
      p.bars--;
      p.expect('|');
      return call('abs', inner);
    }
    default:
      throw new Unreadable(`"${open}" was not expected`);
  }
}

function inBrackets(p: Parser, open: '(' | '['): Node {
  const bars = p.bars;
  p.bars = 0;
  const items = p.items();
  p.bars = bars;
  const close = p.take().text;
  if (close !== ')' && close !== ']') throw new Unreadable(`${open} is not closed`);
  if (items.length === 0) throw new Unreadable('empty brackets');
  if (items.length === 1 && (open === '(') === (close === ')')) return items[0]!;
  return { kind: 'bracketed', open, close, items };
}

/** The braces of LaTeX, which only group; with several items in them, somebody forgot the backslash of a set. */
function group(p: Parser): Node {
  const bars = p.bars;
  p.bars = 0;
  const items = p.items();
  p.bars = bars;
  p.expect('}');
  if (items.length === 0) throw new Unreadable('empty braces');
  return items.length === 1 ? items[0]! : { kind: 'list', items, braces: true };
}

/** What a command like \frac takes: braces, or one number, letter or command. */
function argument(p: Parser): Node {
  return p.accept('-') ? negative(argument(p)) : atomOf(p);
}

function command(p: Parser, name: string): Node {
  switch (name) {
    case '\\frac': {
      if (p.is('(')) return fractionOfCall(p);
      const [top, bottom] = twoArguments(p);
      return { kind: 'quotient', top, bottom };
    }
    case '\\binom': {
      const [n, k] = twoArguments(p);
      return call('binom', n, k);
    }
    case '\\sqrt':
      return squareRoot(p);
    case '\\cbrt':
      return call('root', atomOf(p), number({ n: 3n, d: 1n }));
    case '\\pi':
      return { kind: 'constant', name: 'pi' };
    case '\\infty':
      return { kind: 'constant', name: 'infinity' };
    case '\\emptyset':
      return { kind: 'emptySet' };
    case '\\mathbb':
      return { kind: 'numberSet', name: braced(p) };
    case '\\overline':
      return atomOf(p);
    case '\\lfloor':
    case '\\lceil': {
      const inner = p.relation();
      p.expect(name === '\\lfloor' ? '\\rfloor' : '\\rceil');
      return call(name === '\\lfloor' ? 'floor' : 'ceil', inner);
    }
    case '\\|': {
      const inner = p.relation();
      p.expect('\\|');
      return call('abs', inner);
    }
    case '\\{':
      return set(p);
    case '\\begin':
      return matrix(p);
    case '\\sum':
    case '\\prod':
      return series(p, name === '\\sum' ? 'sum' : 'prod');
    case '\\$':
      return atomOf(p);
    default:
      break;
  }
  if (UNARY.has(name)) return functionOf(p, name.slice(1));
  if (MANY.has(name)) return callOf(p, name.slice(1));
  if (GREEK.test(name))
    return p.is('_') ? { kind: 'symbol', name: `${name}_${subscript(p)}` } : { kind: 'symbol', name };
  throw new Unreadable(`${name} is not known`);
}

/** \frac13 and \frac{1}{3}: of digits without braces each is an argument of its own. */
function twoArguments(p: Parser): [Node, Node] {
  const { next } = p;
  if (next?.type === 'number' && /^\d{2,}$/.test(next.text)) {
    p.take();
    const [first, rest] = [next.text.slice(0, 1), next.text.slice(1)];
    return [number(decimal(first)), number(decimal(rest))];
  }
  const top = argument(p);
  return [top, argument(p)];
}

/** frac(1, 2) in plain text. */
function fractionOfCall(p: Parser): Node {
  const [top, bottom] = listed(atomOf(p));
  if (top === undefined || bottom === undefined) throw new Unreadable('a fraction needs two parts');
  return { kind: 'quotient', top, bottom };
}

function squareRoot(p: Parser): Node {
  if (p.is('[')) {
    p.take();
    const degree = p.sum();
    p.expect(']');
    return call('root', argument(p), degree);
  }
  return call('sqrt', argument(p));
}

function braced(p: Parser): string {
  p.expect('{');
  let content = '';
  while (!p.is('}')) content += p.take().text;
  p.take();
  return content;
}

/** \{1, 2\} and \{x | x > 0\}. */
function set(p: Parser): Node {
  const bars = p.bars;
  p.bars = 1;
  const items = p.items();
  if (items.length === 1 && p.accept('|', ':')) {
    p.bars = 0;
    const [condition] = p.items();
    p.expect('\\}');
    p.bars = bars;
    if (condition === undefined) throw new Unreadable('a set without a condition');
    return { kind: 'builder', of: items[0]!, condition };
  }
  p.bars = bars;
  p.expect('\\}');
  return items.length === 0 ? { kind: 'emptySet' } : { kind: 'list', items, braces: true };
}

function matrix(p: Parser): Node {
  const name = braced(p);
  if (!/^(?:[pbvBV]?matrix|smallmatrix|array|cases|aligned?)\*?$/.test(name)) throw new Unreadable(`\\begin{${name}}`);
  if (name === 'array' && p.is('{')) braced(p);
  const rows: Node[][] = [[]];
  for (;;) {
    if (p.accept('\\end')) break;
    if (p.accept('&')) continue;
    if (p.accept('\\\\', '\\cr')) {
      rows.push([]);
      continue;
    }
    const cells = p.items();
    if (cells.length === 0) throw new Unreadable('a matrix with an empty cell');
    rows.at(-1)!.push(cells.length === 1 ? cells[0]! : { kind: 'list', items: cells, braces: false });
  }
  braced(p);
  const filled = rows.filter((row) => row.length > 0);
  if (filled.length === 0) throw new Unreadable('an empty matrix');
  if (/^(?:cases|aligned?)/.test(name)) return { kind: 'list', items: filled.map((row) => row[0]!), braces: false };
  return name === 'vmatrix' ? call('determinant', { kind: 'matrix', rows: filled }) : { kind: 'matrix', rows: filled };
}

function series(p: Parser, name: 'sum' | 'prod'): Node {
  const bound = (): Node => (p.is('{') ? atomOf(p) : argument(p));
  p.expect('_');
  const lower = bound();
  p.expect('^');
  const to = bound();
  if (lower.kind !== 'relation' || lower.terms[0]?.kind !== 'symbol' || lower.terms[1] === undefined) {
    throw new Unreadable(`\\${name} without an index`);
  }
  return { kind: 'series', name, index: lower.terms[0].name, from: lower.terms[1], to, of: p.product() };
}

/** \sin x, \sin^2 x, \sin(x + 1), \log_2 8, \sin 2x. */
function functionOf(p: Parser, name: string): Node {
  let base: Node | null = null;
  let exponent: Node | null = null;
  for (let i = 0; i < 2; i++) {
    if (p.is('_')) {
      p.take();
      base = argument(p);
    } else if (p.is('^')) {
      p.take();
      if (p.accept('\\circ')) continue;
      exponent = p.exponent();
    }
  }
  const of = argumentOfFunction(p);
  const inverse =
    exponent?.kind === 'negative' && exponent.of.kind === 'number' && exponent.of.value.n === 1n && name in INVERSE;
  if (inverse) return call(INVERSE[name]!, of);
  const value = name === 'log' && base !== null ? call('log', of, base) : call(name === 'lg' ? 'log' : name, of);
  return exponent === null ? value : { kind: 'power', base: value, exponent };
}

function argumentOfFunction(p: Parser): Node {
  if (p.is('(', '{', '[', '|')) return p.power();
  let of = p.accept('-') ? negative(p.power()) : p.power();
  // \sin 2x is of 2x; another function begins a factor of its own.
  while (p.next !== undefined && (p.next.type === 'letter' || p.is('\\pi') || GREEK.test(p.next.text))) {
    of = { kind: 'product', factors: [of, p.power()] };
  }
  return of;
}

function callOf(p: Parser, name: string): Node {
  return call(name, ...listed(atomOf(p)));
}

const listed = (node: Node): readonly Node[] =>
  node.kind === 'bracketed' || node.kind === 'list' ? node.items : [node];
