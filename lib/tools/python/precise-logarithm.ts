// Logarithms of chosen precision, as mpmath computes and prints them.
import { PythonError } from '../simulator.ts';
import { fixedLogarithm } from './fixed-point.ts';
import { type Decimal, exactDecimal } from './precise-root.ts';
import { bitsOf, divideToEven } from './rational.ts';
import { PythonObject, type PythonNumber, toNumber } from './value.ts';

/** mantissa * 2^exponent */
interface Binary {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const BITS_PER_DIGIT = 3.3219280948873626;

/** mpmath.log(value) / mpmath.log(base) with mp.dps = digits; base not 1. */
export function mpLogarithm(value: PythonNumber, base: PythonNumber, digits: number): PythonObject {
  const [x, b] = [toNumber(value), toNumber(base)];
  // In mpmath these are complex.
  if (x < 0 || b < 0) throw new PythonError('logarithms of negative numbers are not supported');
  const infinite = (y: number, n: PythonNumber): boolean => y === 0 || (typeof n !== 'bigint' && !Number.isFinite(y));
  if (infinite(b, base)) return mpf(infinite(x, value) ? 'nan' : '0.0');
  if (infinite(x, value)) return mpf((x === 0) === b > 1 ? '-inf' : '+inf');
  const precision = Math.max(1, evenRound((digits + 1) * BITS_PER_DIGIT));
  const [top, bottom] = [logarithm(value, precision), logarithm(base, precision)];
  const decimals = Math.max(1, evenRound(precision / BITS_PER_DIGIT) - 1);
  return mpf(mpText(quotient(top, bottom, precision), decimals === 15 ? 17 : decimals + 3));
}

const mpf = (text: string): PythonObject => new PythonObject('mpf', `mpf('${text}')`);

const evenRound = (x: number): number => (x % 1 === 0.5 || x % 1 === -0.5 ? 2 * Math.round(x / 2) : Math.round(x));

function quotient(a: Binary, b: Binary, precision: number): Binary {
  const shift = BigInt(precision + 10 + Math.max(0, bitsOf(b.mantissa) - bitsOf(a.mantissa)));
  const negative = a.mantissa < 0n !== b.mantissa < 0n;
  const [n, d] = [size(a.mantissa) << shift, size(b.mantissa)];
  // A bit behind the last says that the division leaves something.
  const result = ((n / d) << 1n) | (n % d === 0n ? 0n : 1n);
  return toBits(
    { mantissa: negative ? -result : result, exponent: a.exponent - b.exponent - Number(shift) - 1 },
    precision,
  );
}

const size = (n: bigint): bigint => (n < 0n ? -n : n);

function toBits({ mantissa, exponent }: Binary, precision: number): Binary {
  const excess = bitsOf(mantissa) - precision;
  if (excess <= 0) return { mantissa, exponent };
  return { mantissa: divideToEven(mantissa, 1n << BigInt(excess)), exponent: exponent + excess };
}

/** The natural logarithm of a finite number above 0, to so many bits. */
function logarithm(x: PythonNumber, precision: number): Binary {
  const { digits, exponent } = exactDecimal(x);
  // A number next to 1 loses as many bits as it has.
  const work = precision + 80 + bitsOf(digits);
  return toBits({ mantissa: fixedLogarithm(digits, 10n ** BigInt(-exponent), work), exponent: -work }, precision);
}

/** mpmath's to_str: fixed notation for exponents from -max(shown / 3, 5) up to the digits shown. */
function mpText({ mantissa, exponent }: Binary, shown: number): string {
  if (mantissa === 0n) return '0.0';
  const exact: Decimal =
    exponent >= 0
      ? { digits: size(mantissa) << BigInt(exponent), exponent: 0 }
      : { digits: size(mantissa) * 5n ** BigInt(-exponent), exponent };
  const decimal = shortened(exact, shown);
  const digits = decimal.digits.toString();
  const magnitude = digits.length + decimal.exponent - 1;
  const fixed = magnitude > Math.min(-Math.floor(shown / 3), -5) && magnitude < shown;
  const text = fixed && magnitude < 0 ? '0'.repeat(-magnitude) + digits : digits;
  const point = fixed && magnitude >= 0 ? magnitude + 1 : 1;
  const body = `${text.slice(0, point).padEnd(point, '0')}.${text.slice(point)}`.replace(/0+$/, '');
  const tail = fixed ? '' : `e${magnitude < 0 ? '' : '+'}${magnitude}`;
  return `${mantissa < 0n ? '-' : ''}${body}${body.endsWith('.') ? '0' : ''}${tail}`;
}

/** As mpmath shortens: half goes up. */
function shortened({ digits, exponent }: Decimal, shown: number): Decimal {
  const excess = digits.toString().length - shown;
  if (excess <= 0) return { digits, exponent };
  const unit = 10n ** BigInt(excess);
  return { digits: (2n * digits + unit) / (2n * unit), exponent: exponent + excess };
}
