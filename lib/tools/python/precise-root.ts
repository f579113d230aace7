// Square roots of chosen precision, as Python's decimal computes and prints them.
import { bitsOf, fractionOf } from './rational.ts';
import { PythonObject, type PythonNumber, toNumber } from './value.ts';

/** digits * 10^exponent */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** Exactly what a finite float or an int is. */
export function exactDecimal(x: PythonNumber): Decimal {
  if (typeof x === 'bigint') return { digits: x, exponent: 0 };
  const { numerator, denominator } = fractionOf(toNumber(x));
  // n / 2^shift = n 5^shift / 10^shift
  const shift = bitsOf(denominator) - 1;
  return { digits: numerator * 5n ** BigInt(shift), exponent: -shift };
}

const sizeOf = (n: bigint): number => n.toString().length;

/** Rounds half to even to so many digits; digits not negative. */
export function roundedDecimal({ digits, exponent }: Decimal, precision: number): Decimal {
  const excess = sizeOf(digits) - precision;
  if (excess <= 0) return { digits, exponent };
  const unit = 10n ** BigInt(excess);
  const [whole, rest] = [digits / unit, digits % unit];
  const up = 2n * rest > unit || (2n * rest === unit && whole % 2n === 1n);
  const next = up ? whole + 1n : whole;
  if (sizeOf(next) > precision) return { digits: next / 10n, exponent: exponent + excess + 1 };
  return { digits: next, exponent: exponent + excess };
}

/** Decimal(x).sqrt() in a context of `precision` digits; x not below 0. General Decimal Arithmetic, square-root. */
export function decimalSquareRoot(x: PythonNumber, precision: number): PythonObject {
  const plain = toNumber(x);
  if (typeof x !== 'bigint' && !Number.isFinite(plain)) return new PythonObject('Decimal', "Decimal('Infinity')");
  const { digits, exponent } = exactDecimal(x);
  if (digits === 0n) return new PythonObject('Decimal', `Decimal('${Object.is(plain, -0) ? '-' : ''}0')`);
  const odd = Math.abs(exponent) % 2 === 1;
  const size = sizeOf(digits);
  const shift = precision + 1 - (odd ? (size >> 1) + 1 : (size + 1) >> 1);
  const scale = 100n ** BigInt(Math.abs(shift));
  const square = odd ? digits * 10n : digits;
  const shifted = shift >= 0 ? square * scale : square / scale;
  let root = integerSquareRoot(shifted);
  let half = Math.floor(exponent / 2) - shift;
  const exact = root * root === shifted && (shift >= 0 || square % scale === 0n);
  if (exact) {
    const unit = 10n ** BigInt(Math.abs(shift));
    root = shift >= 0 ? root / unit : root * unit;
    half += shift;
  } else if (root % 5n === 0n) root += 1n; // so that rounding sees that it is not exact
  const text = decimalText(roundedDecimal({ digits: root, exponent: half }, precision));
  return new PythonObject('Decimal', `Decimal('${text}')`);
}

function integerSquareRoot(n: bigint): bigint {
  if (n < 2n) return n;
  let x = 1n << BigInt((bitsOf(n) + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}

/** str() of a Decimal: with an exponent where it is above 0, or the number is small. */
function decimalText({ digits, exponent }: Decimal): string {
  const text = digits.toString();
  const point = text.length + exponent;
  if (exponent === 0) return text;
  if (exponent < 0 && point > -6) {
    return point > 0 ? `${text.slice(0, point)}.${text.slice(point)}` : `0.${'0'.repeat(-point)}${text}`;
  }
  const fraction = text.length > 1 ? `.${text.slice(1)}` : '';
  return `${text[0]}${fraction}E${point > 0 ? '+' : ''}${point - 1}`;
}
