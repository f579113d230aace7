// a ** b of Python's numbers.
import { pythonFloat } from '../../text/json.ts';
import { PythonError, PythonTypeError } from '../simulator.ts';
import { isNumeric } from './operations.ts';
import { nearestPower } from './fixed-point.ts';
import { MOST_DIGITS, TOO_LONG } from './print.ts';
import { fractionOf, nearestFloat } from './rational.ts';
import { float, int, isInt, PythonObject, type PythonValue, toFiniteNumber, typeName } from './value.ts';

export function power(base: PythonValue, exponent: PythonValue): PythonValue {
  if (!isNumeric(base) || !isNumeric(exponent)) {
    const types = `'${typeName(base)}' and '${typeName(exponent)}'`;
    throw new PythonTypeError(`unsupported operand type(s) for ** or pow(): ${types}`);
  }
  const [b, e] = [base, exponent].map((x) => (typeof x === 'boolean' ? Number(x) : x)) as [
    typeof base,
    typeof exponent,
  ];
  if (isInt(b) && isInt(e) && e >= 0) return powerOfInts(BigInt(b), BigInt(e));
  const [x, y] = [toFiniteNumber(b), toFiniteNumber(e)];
  if (x === 0 && y < 0) throw new PythonError('0.0 cannot be raised to a negative power');
  if (x < 0 && Number.isFinite(y) && !Number.isInteger(y)) return complexPower(x, y);
  const value = powerOfFloats(x, y);
  if (!Number.isFinite(value) && Number.isFinite(x) && Number.isFinite(y)) {
    throw new PythonError("(34, 'Numerical result out of range')");
  }
  return float(value);
}

function powerOfInts(base: bigint, exponent: bigint): number | bigint {
  if (base === 1n || (base === -1n && exponent % 2n === 0n)) return 1;
  if (base === -1n) return -1;
  if (base === 0n) return exponent === 0n ? 1 : 0;
  // What could not be printed is not worth computing.
  const digits = Number(exponent) * Math.log10(Number(base < 0n ? -base : base));
  if (!(digits < MOST_DIGITS + 1)) throw new PythonError(TOO_LONG);
  return int(base ** exponent);
}

const MOST_EXACT = 64;

/** Rounded right, as a good C library mostly does; V8's `**` is off by the last bit now and then. */
function powerOfFloats(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  const value = x ** y;
  if (value === 0 || !Number.isFinite(value) || x === 0 || !Number.isFinite(x)) return value;
  if (!Number.isInteger(y) || Math.abs(y) > MOST_EXACT) return Math.sign(value) * nearestPower(Math.abs(x), y);
  const { numerator, denominator } = fractionOf(Math.abs(x));
  const size = BigInt(Math.abs(y));
  const [n, d] = [numerator ** size, denominator ** size];
  return Math.sign(value) * nearestFloat(y > 0 ? { numerator: n, denominator: d } : { numerator: d, denominator: n });
}

function complexPower(x: number, y: number): PythonObject {
  const [size, angle] = [powerOfFloats(Math.abs(x), y), Math.PI * y];
  const [re, im] = [size * Math.cos(angle), size * Math.sin(angle)];
  const text = (part: number): string => pythonFloat(part).replace(/\.0$/, '');
  return new PythonObject('complex', `(${text(re)}${im < 0 ? '' : '+'}${text(im)}j)`);
}
