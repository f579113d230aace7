// Values at a point: symbols have numbers, everything is complex.
import {
  type Complex,
  complex,
  cosOf,
  expOf,
  logOf,
  minus,
  over,
  plus,
  powerOf,
  sinOf,
  size,
  sqrtOf,
  times,
} from './complex.ts';
import { exact } from './exact.ts';
import type { Budget } from './limits.ts';
import type { Node } from './node.ts';
import { fingerprint } from './points.ts';
import { toNumber } from './rational.ts';

export type Point = (symbol: string) => number;

/** NaN where the node has no value, or none that is a number. */
export function evaluate(node: Node, at: Point, budget: Budget): Complex {
  const of = (inner: Node): Complex => evaluate(inner, at, budget);
  budget.spend();
  switch (node.kind) {
    case 'number':
      return complex(toNumber(node.value));
    case 'symbol':
      return complex(at(node.name));
    case 'constant':
      return CONSTANTS[node.name];
    case 'sum':
      return node.terms.map(of).reduce(plus);
    case 'product':
      return node.factors.map(of).reduce(times);
    case 'quotient':
      return over(of(node.top), of(node.bottom));
    case 'negative':
      return minus(of(node.of));
    case 'power':
      return powerOfNode(node.base, node.exponent, of);
    case 'percent':
      return over(of(node.of), complex(100));
    case 'degrees':
      return of(node.of);
    case 'based': {
      const value = exact(node, budget);
      return complex(value === null ? Number.NaN : toNumber(value));
    }
    case 'series':
      return series(node, at, budget);
    case 'call':
      return callOf(node.name, node.arguments, of);
    default:
      return NOTHING;
  }
}

const NOTHING = complex(Number.NaN);
const CONSTANTS = {
  pi: complex(Math.PI),
  e: complex(Math.E),
  i: complex(0, 1),
  infinity: complex(Number.POSITIVE_INFINITY),
} as const;

/** Odd roots of negative numbers are real, as people mean them. */
function powerOfNode(base: Node, exponent: Node, of: (node: Node) => Complex): Complex {
  const value = of(base);
  const { kind } = exponent;
  if (kind === 'quotient' && value.im === 0 && value.re < 0) {
    const [top, bottom] = [of(exponent.top), of(exponent.bottom)];
    if (Number.isInteger(bottom.re) && bottom.re % 2 !== 0 && Number.isInteger(top.re)) {
      return complex((-((-value.re) ** (1 / bottom.re))) ** top.re);
    }
  }
  return powerOf(value, of(exponent));
}

const MOST_TERMS = 2000;

function series(node: Node & { kind: 'series' }, at: Point, budget: Budget): Complex {
  const [from, to] = [evaluate(node.from, at, budget).re, evaluate(node.to, at, budget).re];
  if (!Number.isInteger(from) || !Number.isInteger(to)) return unevaluated(node, [from, to], at, budget);
  if (to - from > MOST_TERMS) return NOTHING;
  let total = complex(node.name === 'sum' ? 0 : 1);
  for (let k = from; k <= to; k++) {
    const value = evaluate(node.of, (symbol) => (symbol === node.index ? k : at(symbol)), budget);
    total = node.name === 'sum' ? plus(total, value) : times(total, value);
  }
  return total;
}

/** A sum up to n has a value of its own, which an equal sum has, too: one made from its bounds and its term at two points. */
function unevaluated(node: Node & { kind: 'series' }, bounds: readonly number[], at: Point, budget: Budget): Complex {
  const terms = [0.71, 2.37].map((k) =>
    evaluate(node.of, (symbol) => (symbol === node.index ? k : at(symbol)), budget),
  );
  return complex(1 + fingerprint(node.name, ...bounds, ...terms.flatMap(({ re, im }) => [re, im])));
}

/** In degrees where it says so. */
function angle(node: Node, of: (node: Node) => Complex): Complex {
  const inDegrees = (inner: Node): boolean =>
    inner.kind === 'degrees' ||
    (inner.kind === 'negative' && inDegrees(inner.of)) ||
    (inner.kind === 'sum' && inner.terms.some(inDegrees)) ||
    (inner.kind === 'quotient' && inDegrees(inner.top)) ||
    (inner.kind === 'product' && inner.factors.some(inDegrees));
  return inDegrees(node) ? times(of(node), complex(Math.PI / 180)) : of(node);
}

function callOf(name: string, args: readonly Node[], of: (node: Node) => Complex): Complex {
  const [first, second] = args;
  if (first === undefined) return NOTHING;
  const sin = (): Complex => sinOf(angle(first, of));
  const cos = (): Complex => cosOf(angle(first, of));
  const real = (f: (x: number) => number): Complex => {
    const { re, im } = of(first);
    return Math.abs(im) < 1e-12 ? complex(f(re)) : NOTHING;
  };
  switch (name) {
    case 'sqrt':
      return sqrtOf(of(first));
    case 'root': {
      const [value, degree] = [of(first), second === undefined ? 2 : of(second).re];
      if (value.im === 0 && value.re < 0 && degree % 2 === 1) return complex(-((-value.re) ** (1 / degree)));
      return powerOf(value, complex(1 / degree));
    }
    case 'abs':
      return complex(size(of(first)));
    case 'exp':
      return expOf(of(first));
    case 'ln':
      return logOf(of(first));
    case 'log':
      return over(logOf(of(first)), second === undefined ? complex(1) : logOf(of(second)));
    case 'sin':
      return sin();
    case 'cos':
      return cos();
    case 'tan':
      return over(sin(), cos());
    case 'cot':
      return over(cos(), sin());
    case 'sec':
      return over(complex(1), cos());
    case 'csc':
      return over(complex(1), sin());
    case 'arcsin':
      return real(Math.asin);
    case 'arccos':
      return real(Math.acos);
    case 'arctan':
      return real(Math.atan);
    case 'arccot':
      return real((x) => Math.PI / 2 - Math.atan(x));
    case 'sinh':
      return real(Math.sinh);
    case 'cosh':
      return real(Math.cosh);
    case 'tanh':
      return real(Math.tanh);
    case 'floor':
      return real(Math.floor);
    case 'ceil':
      return real(Math.ceil);
    case 'factorial':
      return real(gammaOfNext);
    case 'binom': {
      const [n, k] = [of(first).re, second === undefined ? Number.NaN : of(second).re];
      return complex(gammaOfNext(n) / (gammaOfNext(k) * gammaOfNext(n - k)));
    }
    case 'max':
      return complex(Math.max(...args.map((arg) => of(arg).re)));
    case 'min':
      return complex(Math.min(...args.map((arg) => of(arg).re)));
    case 'mod': {
      const [a, b] = [of(first).re, second === undefined ? Number.NaN : of(second).re];
      return complex(((a % b) + b) % b);
    }
    default:
      return NOTHING;
  }
}

/** x! for real x, by Lanczos' approximation (g = 7). */
function gammaOfNext(x: number): number {
  if (x < 0) return x < -20 || Number.isInteger(x) ? Number.NaN : gammaOfNext(x + 1) / (x + 1);
  if (x > 170) return Number.NaN; // too large: unknown, not infinite
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (x + i);
  const t = x + 7.5;
  return Math.sqrt(2 * Math.PI) * t ** (x + 0.5) * Math.exp(-t) * sum;
}

const LANCZOS = [
  ...[0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059],
  ...[12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7],
];
