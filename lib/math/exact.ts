// Exact values of what is rational.
import type { Budget } from './limits.ts';
import type { Node } from './node.ts';
import { add, divide, multiply, negate, ONE, power, type Rational, rational, root, ZERO } from './rational.ts';

/** The value as a fraction; null where it is none, or too large. */
export function exact(node: Node, budget: Budget): Rational | null {
  budget.spend();
  switch (node.kind) {
    case 'number':
      return node.value;
    case 'sum':
      return fold(node.terms, ZERO, add, budget);
    case 'product':
      return fold(node.factors, ONE, multiply, budget);
    case 'quotient': {
      const [top, bottom] = [exact(node.top, budget), exact(node.bottom, budget)];
      return top && bottom && divide(top, bottom);
    }
    case 'negative': {
      const value = exact(node.of, budget);
      return value && negate(value);
    }
    case 'power': {
      const [base, exponent] = [exact(node.base, budget), exact(node.exponent, budget)];
      if (base === null || exponent === null) return null;
      if (exponent.d === 1n) return power(base, exponent.n);
      if (exponent.d > 64n) return null;
      const rooted = root(base, Number(exponent.d));
      return rooted && power(rooted, exponent.n);
    }
    case 'percent': {
      const value = exact(node.of, budget);
      return value && divide(value, { n: 100n, d: 1n });
    }
    case 'degrees':
      return exact(node.of, budget);
    case 'based':
      return inBase(node.digits, node.base);
    case 'call':
      return exactCall(node.name, node.arguments, budget);
    default:
      return null;
  }
}

function fold(
  nodes: readonly Node[],
  start: Rational,
  combine: (a: Rational, b: Rational) => Rational | null,
  budget: Budget,
): Rational | null {
  let value: Rational | null = start;
  for (const node of nodes) {
    const next = exact(node, budget);
    if (next === null || value === null) return null;
    value = combine(value, next);
  }
  return value;
}

function inBase(digits: string, base: number): Rational | null {
  let value = 0n;
  for (const digit of digits) {
    const number = Number.parseInt(digit, 36);
    if (Number.isNaN(number) || number >= base) return null;
    value = value * BigInt(base) + BigInt(number);
  }
  return rational(value);
}

function exactCall(name: string, args: readonly Node[], budget: Budget): Rational | null {
  const values = args.map((arg) => exact(arg, budget));
  if (!values.every((value) => value !== null)) return null;
  const [a, b] = values as [Rational, Rational?];
  if (a === undefined) return null;
  const whole = values.every(({ d }) => d === 1n);
  switch (name) {
    case 'sqrt':
      return root(a, 2);
    case 'root':
      return b !== undefined && b.d === 1n && b.n >= 2n && b.n <= 64n ? root(a, Number(b.n)) : null;
    case 'abs':
      return a.n < 0n ? negate(a) : a;
    case 'floor':
      return rational(floor(a));
    case 'ceil':
      return rational(-floor(negate(a)));
    case 'factorial':
      return whole && a.n >= 0n && a.n <= 170n ? rational(factorial(a.n, 1n)) : null;
    case 'doubleFactorial':
      return whole && a.n >= 0n && a.n <= 170n ? rational(factorial(a.n, 2n)) : null;
    case 'binom':
      return whole && b !== undefined ? binomial(a.n, b.n) : null;
    case 'max':
    case 'min':
      return values.reduce((best, value) => (compare(value, best) > 0 === (name === 'max') ? value : best));
    case 'gcd':
      return whole ? rational(values.map(({ n }) => n).reduce(gcd)) : null;
    case 'lcm':
      return whole
        ? rational(values.map(({ n }) => n).reduce((x, y) => (x === 0n || y === 0n ? 0n : (x * y) / gcd(x, y))))
        : null;
    case 'mod':
      return whole && b !== undefined && b.n !== 0n ? rational(((a.n % b.n) + b.n) % b.n) : null;
    default:
      return null;
  }
}

const floor = ({ n, d }: Rational): bigint => (n < 0n ? (n - d + 1n) / d : n / d);
export const compare = (a: Rational, b: Rational): number => {
  const difference = a.n * b.d - b.n * a.d;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
};

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

function factorial(n: bigint, step: bigint): bigint {
  let value = 1n;
  for (let i = n; i > 1n; i -= step) value *= i;
  return value;
}

function binomial(n: bigint, k: bigint): Rational | null {
  if (k < 0n || n < 0n || k > n) return n >= 0n ? ZERO : null;
  const small = k > n - k ? n - k : k;
  if (small > 500n) return null;
  let value = 1n;
  for (let i = 0n; i < small; i++) value = (value * (n - i)) / (i + 1n);
  return rational(value);
}
