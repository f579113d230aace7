// Commands that take arguments: fractions, roots, functions, sums.
import { argument, atomOf, decimal } from './atoms.ts';
import { Unreadable } from './limits.ts';
import { call, type Node, negative, number } from './node.ts';
import type { Parser } from './parse.ts';

const INVERSE: Readonly<Record<string, string>> = {
  ...{ sin: 'arcsin', cos: 'arccos', tan: 'arctan', cot: 'arccot' },
};

/** \frac13 and \frac{1}{3}: of digits without braces each is an argument of its own. */
export function twoArguments(p: Parser): [Node, Node] {
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
export function fractionOfCall(p: Parser): Node {
  const [top, bottom] = listed(atomOf(p));
  if (top === undefined || bottom === undefined) throw new Unreadable('a fraction needs two parts');
  return { kind: 'quotient', top, bottom };
}

export function squareRoot(p: Parser): Node {
  if (p.is('[')) {
    p.take();
    const degree = p.sum();
    p.expect(']');
    return call('root', argument(p), degree);
  }
  return call('sqrt', argument(p));
}

export function series(p: Parser, name: 'sum' | 'prod'): Node {
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
export function functionOf(p: Parser, name: string): Node {
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
  if (name === 'lg') base = number({ n: 10n, d: 1n });
  const value = base !== null && /^lo?g$/.test(name) ? call('log', of, base) : call(name, of);
  return exponent === null ? value : { kind: 'power', base: value, exponent };
}

function argumentOfFunction(p: Parser): Node {
  if (p.is('(', '{', '[', '|')) return atomOf(p); // \sin(x)^2 is the square of \sin(x)
  let of = p.accept('-') ? negative(p.power()) : p.power();
  // \sin 2x is of 2x; another function begins a factor of its own.
  while (p.next !== undefined && (p.next.type === 'letter' || isGreek(p.next.text))) {
    of = { kind: 'product', factors: [of, p.power()] };
  }
  return of;
}

const isGreek = (name: string): boolean =>
  /^\\(?:pi|alpha|beta|gamma|delta|theta|lambda|mu|phi|varphi|omega|sigma|rho|tau)$/.test(name);

export function callOf(p: Parser, name: string): Node {
  return call(name, ...listed(atomOf(p)));
}

const listed = (node: Node): readonly Node[] =>
  node.kind === 'bracketed' || node.kind === 'list' ? node.items : [node];
