// Exact fractions of big integers. Results that would get too large are null: the caller goes on in floating point.

/** In lowest terms, the denominator above 0. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

/** Digits beyond which exact arithmetic stops. */
const MOST_BITS = 4096;

export const ZERO: Rational = { n: 0n, d: 1n };
export const ONE: Rational = { n: 1n, d: 1n };

export function rational(n: bigint, d = 1n): Rational | null {
  if (d === 0n) return null;
  const sign = d < 0n ? -1n : 1n;
  const g = gcd(n < 0n ? -n : n, d * sign);
  const reduced = { n: (n * sign) / g, d: (d * sign) / g };
  return isLarge(reduced.n) || isLarge(reduced.d) ? null : reduced;
}

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x === 0n ? 1n : x;
}

const LIMIT = 1n << BigInt(MOST_BITS);
const isLarge = (x: bigint): boolean => x > LIMIT || x < -LIMIT;

export const add = (a: Rational, b: Rational): Rational | null => rational(a.n * b.d + b.n * a.d, a.d * b.d);
export const multiply = (a: Rational, b: Rational): Rational | null => rational(a.n * b.n, a.d * b.d);
export const divide = (a: Rational, b: Rational): Rational | null => rational(a.n * b.d, a.d * b.n);
export const negate = ({ n, d }: Rational): Rational => ({ n: -n, d });
export const equal = (a: Rational, b: Rational): boolean => a.n === b.n && a.d === b.d;

/** a to the power of an integer. */
export function power(a: Rational, exponent: bigint): Rational | null {
  const size = exponent < 0n ? -exponent : exponent;
  const bits = BigInt(Math.max(bitLength(a.n), bitLength(a.d)));
  if (size * bits > BigInt(MOST_BITS)) return null;
  if (exponent < 0n && a.n === 0n) return null;
  const raised = { n: a.n ** size, d: a.d ** size };
  return exponent < 0n ? rational(raised.d, raised.n) : raised;
}

/** The root if it is rational. */
export function root({ n, d }: Rational, degree: number): Rational | null {
  if (n < 0n && degree % 2 === 0) return null;
  const top = integerRoot(n < 0n ? -n : n, degree);
  const bottom = integerRoot(d, degree);
  if (top === null || bottom === null) return null;
  return { n: n < 0n ? -top : top, d: bottom };
}

function integerRoot(x: bigint, degree: number): bigint | null {
  if (x > 1n << 512n) return null;
  const k = BigInt(degree);
  let low = 0n;
  let high = (1n << BigInt(Math.ceil(bitLength(x) / degree))) + 1n;
  while (low < high) {
    const middle = (low + high + 1n) / 2n;
    if (middle ** k <= x) low = middle;
    else high = middle - 1n;
  }
  return low ** k === x ? low : null;
}

const bitLength = (x: bigint): number => (x < 0n ? -x : x).toString(2).length;

/** Decimal digits beyond which a number is not read. */
const MOST_DIGITS = 1200;

/** A decimal: 12.5, 1e-3. Null for more digits than an answer has, or an exponent beyond 400. */
export function fromDecimal(text: string): Rational | null {
  const [mantissa, exponentText = '0'] = text.toLowerCase().split('e');
  const [whole, fraction = ''] = mantissa!.split('.');
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > 400 || mantissa!.length > MOST_DIGITS) return null;
  const digits = BigInt(`${whole}${fraction}` || '0');
  const shift = exponent - fraction.length;
  return shift >= 0 ? rational(digits * 10n ** BigInt(shift)) : rational(digits, 10n ** BigInt(-shift));
}

/** Nearest number. */
export function toNumber({ n, d }: Rational): number {
  const shift = Math.max(0, bitLength(d) - 1000, bitLength(n) - 1000);
  return Number(n >> BigInt(shift)) / Number(d >> BigInt(shift));
}
