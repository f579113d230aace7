// The parts that nothing binds tighter than: numbers, letters, brackets, fractions, functions.
import { bracket, matrix, set } from './brackets.ts';
import { callOf, fractionOfCall, functionOf, series, squareRoot, twoArguments } from './functions.ts';
import { Unreadable } from './limits.ts';
import { call, type Node, negative, number } from './node.ts';
import type { Parser } from './parse.ts';
import { add, fromDecimal, type Rational, rational } from './rational.ts';

const named = (names: string): ReadonlySet<string> =>
  new Set(
    names
      .trim()
      .split(/\s+/)
      .map((name) => `\\${name}`),
  );

const UNARY = named(`sin cos tan cot sec csc ln exp arcsin arccos arctan arccot sinh cosh tanh log lg`);
const MANY = named('max min gcd lcm abs floor ceil cbrt factorial');
/** Commands that stand between factors or end something, and so begin none. */
const BETWEEN = named(`
  cup cap setminus pm mp cdot times ast div mod bmod pmod le ge ne in notin approx equiv to implies Rightarrow iff
  sim simeq cong end cr rfloor rceil degrees percent prime circ text subset subseteq wedge land lor vee colon`);

/** Whether the next token begins a factor. */
export function startsAtom(p: Parser): boolean {
  const { next } = p;
  if (next === undefined) return false;
  if (next.type === 'number' || next.type === 'letter' || next.type === 'repeating') return true;
  if (next.type === 'operator')
    return next.text === '(' || next.text === '{' || next.text === '[' || (next.text === '|' && p.bars === 0);
  if (next.type !== 'command') return false;
  return next.text === '\\{' || next.text === '\\|' || (/^\\[a-zA-Z]/.test(next.text) && !BETWEEN.has(next.text));
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

export function decimal(text: string): Rational {
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

/** What a command like \frac takes: braces, or one number, letter or command. */
export function argument(p: Parser): Node {
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
  // Greek letters, and whatever else has a name.
  if (/^\\[a-zA-Z]/.test(name) && !BETWEEN.has(name))
    return p.is('_') ? { kind: 'symbol', name: `${name}_${subscript(p)}` } : { kind: 'symbol', name };
  throw new Unreadable(`${name} was not expected`);
}

export function braced(p: Parser): string {
  p.expect('{');
  let content = '';
  while (!p.is('}')) content += p.take().text;
  p.take();
  return content;
}
