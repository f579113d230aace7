// Logarithms and powers in fixed point of any length.
import { bitsOf, divideToEven, type Fraction, fractionOf, nearestFloat } from './rational.ts';

/** ln (n / d) in fixed point, with so many bits behind the point. */
export function fixedLogarithm(n: bigint, d: bigint, bits: number): bigint {
  const one = 1n << BigInt(bits);
  /** 2 artanh(a / b), |a / b| at most 1/3; divisions go towards 0, so that the terms get there. */
  const series = (a: bigint, b: bigint): bigint => {
    const z = (a * one) / b;
    const square = (z * z) / one;
    let [term, sum] = [z, z];
    for (let i = 3n; term !== 0n; i += 2n) {
      term = (term * square) / one;
      sum += term / i;
    }
    return 2n * sum;
  };
  // n / d = y 2^k with y between 1/2 and 2; ln y = 2 artanh((y - 1) / (y + 1)), ln 2 = 2 artanh(1 / 3).
  const k = bitsOf(n) - bitsOf(d);
  const [top, bottom] = k >= 0 ? [n, d << BigInt(k)] : [n << BigInt(-k), d];
  return series(top - bottom, top + bottom) + BigInt(k) * series(1n, 3n);
}

/** Enough for a float to be rounded right, but for one in 2^70 or so. */
const BITS = 200;

/** x ** y, rounded to the nearest float; x finite and above 0, the result within the range of floats. */
export function nearestPower(x: number, y: number): number {
  const [base, exponent] = [fractionOf(x), fractionOf(y)];
  const logarithm = fixedLogarithm(base.numerator, base.denominator, BITS + 64);
  const product = (logarithm * exponent.numerator) / (exponent.denominator << 64n);
  const two = fixedLogarithm(2n, 1n, BITS);
  const k = divideToEven(product, two);
  const value = fixedExponential(product - k * two);
  return nearestFloat(scaled({ numerator: value, denominator: 1n << BigInt(BITS) }, k));
}

const scaled = ({ numerator, denominator }: Fraction, k: bigint): Fraction =>
  k >= 0n ? { numerator: numerator << k, denominator } : { numerator, denominator: denominator << -k };

/** e^x of a small x. */
function fixedExponential(x: bigint): bigint {
  const one = 1n << BigInt(BITS);
  let [term, sum] = [one, one];
  for (let i = 1n; term !== 0n; i++) {
    term = (term * x) / one / i;
    sum += term;
  }
  return sum;
}
