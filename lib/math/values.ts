// Comparing single values: exactly where they are rational, else as complex numbers, with symbols at random points.
import { type Complex, size } from './complex.ts';
import { evaluate, type Point } from './evaluate.ts';
import { compare as compareExact, exact } from './exact.ts';
import { type Budget, TooMuchWork } from './limits.ts';
import { isExpression, type Node } from './node.ts';
import { pointOf, symbolsOf } from './points.ts';
import { type Rational, toNumber } from './rational.ts';
import { different, same, type Verdict } from './verdict.ts';

/** Points with a value that must agree, at least. */
const POINTS = 4;
/** So many symbols are also tried with a minus sign. */
const NEGATED = 3;

export function compareExpressions(g: Node, a: Node, budget: Budget): Verdict {
  if (!isExpression(g) || !isExpression(a)) return different('they are of different kinds');
  if ((g.kind === 'based') !== (a.kind === 'based')) return compareBased(g, a);
  // 28% may be answered with 28 and with 0.28; 28 with 28%, but 0.28 not with 28.
  const bare = g.kind === 'percent' ? [g.of, a] : a.kind === 'percent' && g.kind === 'number' ? [g, a.of] : null;
  if (bare !== null && g.kind !== a.kind && compareValues(bare[0]!, bare[1]!, budget).equal) {
    return same('the same number, one of them with a percent sign');
  }
  return compareValues(g, a, budget);
}

/** A number in a named base, and one that names none: the digits must be the same. */
function compareBased(g: Node, a: Node): Verdict {
  const [based, plain] = g.kind === 'based' ? [g, a] : [a, g];
  const digits = plain.kind === 'number' && plain.value.d === 1n ? String(plain.value.n) : null;
  const fits = based.kind === 'based' && based.digits === digits;
  return fits ? same('the same digits; one names no base') : different('only one names a base');
}

function compareValues(g: Node, a: Node, budget: Budget): Verdict {
  const [x, y] = [exact(g, budget), exact(a, budget)];
  if (x !== null && y !== null) return compareRationals(x, y, isRounded(g) || isRounded(a), budget);
  const names = symbolsOf([g, a], budget);
  return names.size === 0 ? compareConstants(g, a, budget) : compareAtPoints(g, a, [...names], budget);
}

function compareRationals(x: Rational, y: Rational, rounded: boolean, budget: Budget): Verdict {
  if (compareExact(x, y) === 0) return same('the same number exactly');
  return rounded && agree(toNumber(x), toNumber(y), budget) ? sameRounded(budget) : different('different numbers');
}

const sameRounded = (budget: Budget): Verdict => same(`equal to ${budget.settings.decimals} decimals`);

function compareConstants(g: Node, a: Node, budget: Budget): Verdict {
  const nowhere: Point = () => Number.NaN;
  const [p, q] = [evaluate(g, nowhere, budget), evaluate(a, nowhere, budget)];
  if (!hasValue(p) || !hasValue(q)) return compareWithoutValue(g, a, p, q, budget);
  const gap = Math.hypot(p.re - q.re, p.im - q.im);
  if (gap <= 1e-9 * Math.max(size(p), size(q)) + 1e-13) return same('the same value in floating point');
  const rounded = isRounded(g) || isRounded(a);
  return rounded && agree(p.re, q.re, budget) && agree(p.im, q.im, budget)
    ? sameRounded(budget)
    : different('different values');
}

const hasValue = (z: Complex): boolean => Number.isFinite(z.re) && Number.isFinite(z.im);

/** Infinities, divisions by zero, and numbers that are too large. */
function compareWithoutValue(g: Node, a: Node, p: Complex, q: Complex, budget: Budget): Verdict {
  if (hasValue(p) !== hasValue(q)) return different('only one has a finite value');
  if (sameShape(g, a, budget)) return same('written alike; they have no finite value');
  const [x, y] = [hasInfinity(g, budget), hasInfinity(a, budget)];
  if (x && y) return p.re === q.re ? same('the same infinity') : different('different infinities');
  if (x || y || isOverZero(g, budget) || isOverZero(a, budget)) return different('they have no finite value');
  throw new TooMuchWork('the values are beyond what floating point holds');
}

const isOverZero = (node: Node, budget: Budget): boolean =>
  node.kind === 'quotient' && exact(node.bottom, budget)?.n === 0n;

function hasInfinity(value: unknown, budget: Budget): boolean {
  budget.spend();
  if (typeof value !== 'object' || value === null) return false;
  const node = value as Node;
  return (
    (node.kind === 'constant' && node.name === 'infinity') ||
    Object.values(value).some((part) => hasInfinity(part, budget))
  );
}

function sameShape(x: unknown, y: unknown, budget: Budget): boolean {
  budget.spend();
  if (typeof x !== 'object' || typeof y !== 'object' || x === null || y === null) return x === y;
  const [left, right] = [Object.entries(x), y as Readonly<Record<string, unknown>>];
  return left.length === Object.keys(y).length && left.every(([key, part]) => sameShape(part, right[key], budget));
}

/** Equal where both have values; with one symbol negative, where both are real: |x| is not x. */
function compareAtPoints(g: Node, a: Node, names: readonly string[], budget: Budget): Verdict {
  let usable = 0;
  for (let i = 0; i < 3 * POINTS && usable < POINTS; i++) {
    const at = pointOf(i);
    const [p, q] = [evaluate(g, at, budget), evaluate(a, at, budget)];
    if (!hasValue(p) && !hasValue(q)) continue;
    if (!hasValue(p) || !hasValue(q)) return different('only one has a value at a random point');
    if (!close(p, q)) return different('different at a random point');
    usable++;
  }
  if (usable === 0) {
    return sameShape(g, a, budget) ? same('written alike') : different('they have no value at random points');
  }
  for (const [i, negated] of names.slice(0, NEGATED).entries()) {
    const positive = pointOf(100 + i);
    const at: Point = (name) => (name === negated ? -positive(name) : positive(name));
    const [p, q] = [evaluate(g, at, budget), evaluate(a, at, budget)];
    const real = hasValue(p) && hasValue(q) && Math.abs(p.im) + Math.abs(q.im) < 1e-9;
    if (real && !close(p, q)) return different('different where a symbol is negative');
  }
  return same(`equal at ${usable} random points`);
}

const close = (p: Complex, q: Complex): boolean =>
  Math.hypot(p.re - q.re, p.im - q.im) <= 1e-9 * Math.max(size(p), size(q)) + 1e-12;

/** Written with a point somewhere: perhaps not the whole truth. */
function isRounded(node: Node): boolean {
  if (node.kind === 'number') return node.decimal;
  if (node.kind === 'negative' || node.kind === 'percent' || node.kind === 'degrees') return isRounded(node.of);
  return node.kind === 'product' ? node.factors.some(isRounded) : false;
}

/** Rounded to the same decimals, and not only because both are tiny. */
function agree(p: number, q: number, { settings: { decimals } }: Budget): boolean {
  const gap = Math.abs(p - q);
  const unit = 10 ** -decimals;
  return gap <= 0.5 * unit && gap <= 2 * unit * Math.max(Math.abs(p), Math.abs(q));
}
