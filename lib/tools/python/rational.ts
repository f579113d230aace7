// Floats as the fractions that they are, and fractions rounded to the nearest float.

export interface Fraction {
  readonly numerator: bigint;
  /** Above 0. */
  readonly denominator: bigint;
}

/** Exactly what a finite float is. */
export function fractionOf(x: number): Fraction {
  let [mantissa, exponent] = [x, 0n];
  while (!Number.isInteger(mantissa)) {
    mantissa *= 2;
    exponent++;
  }
  return { numerator: BigInt(mantissa), denominator: 1n << exponent };
}

/** The bits of |n|; 1 for 0. */
export const bitsOf = (n: bigint): number => {
  const hex = (n < 0n ? -n : n).toString(16);
  return (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0]!, 16)) || 1);
};

/** n / d, rounded half to even; d above 0. */
export function divideToEven(n: bigint, d: bigint): bigint {
  if (n < 0n) return -divideToEven(-n, d);
  const [whole, rest] = [n / d, n % d];
  return 2n * rest > d || (2n * rest === d && whole % 2n === 1n) ? whole + 1n : whole;
}

const KEPT_BITS = 66;

/** The float nearest to a fraction; infinite where it is too large. */
export function nearestFloat({ numerator, denominator }: Fraction): number {
  if (numerator < 0n) return -nearestFloat({ numerator: -numerator, denominator });
  const shift = KEPT_BITS - bitsOf(numerator) + bitsOf(denominator);
  const [n, d] = shift >= 0 ? [numerator << BigInt(shift), denominator] : [numerator, denominator << BigInt(-shift)];
  // A last bit that is set where there is a rest keeps the conversion from seeing a tie that there is not.
  const quotient = (n / d) | (n % d === 0n ? 0n : 1n);
  const half = Math.trunc(shift / 2);
  return Number(quotient) * 2 ** -half * 2 ** (half - shift);
}
