// Python's values in JavaScript, and the arithmetic that keeps an int an int and a float a float: simulators compute with them and
// their results are printed as Python prints them.
import { WholeFloat } from '../../text/json.ts';
import { PythonError } from '../simulator.ts';
import { divideToEven, fractionOf, nearestFloat } from './rational.ts';

/**
 * None is null, True and False are booleans, text is a string (of code points), a list an array, a dict a Map or a plain
 * object (`PythonDict`). An int is a number without a fraction, or a bigint beyond 2^53; a float is a number with a fraction, not
 * finite, or a `WholeFloat` (as `parseJson` reads them).
 */
export type PythonValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | WholeFloat
  | readonly PythonValue[]
  | PythonDict
  | PythonObject;
/** Anything else: only its repr() is known. Not serialisable as JSON. */
export class PythonObject {
  readonly type: string;
  readonly repr: string;

  constructor(type: string, repr: string) {
    this.type = type;
    this.repr = repr;
  }
}
/** Keys keep their order, and are strings or ints: `{ '10': ... }` and `{ 10: ... }` are different. */
export type PythonDict = Map<string | number, PythonValue>;
export type PythonNumber = number | bigint | WholeFloat;

/** A float of this value. */
export const float = (x: number): number | WholeFloat => (Number.isInteger(x) ? new WholeFloat(x) : x);

/** The JavaScript number of an int, float or bool. */
export const toNumber = (x: PythonNumber | boolean): number => (x instanceof WholeFloat ? x.value : Number(x));

/** The same, for arithmetic with floats: an int beyond their range is an OverflowError. */
export function toFiniteNumber(x: PythonNumber | boolean): number {
  const value = toNumber(x);
  if (typeof x === 'bigint' && !Number.isFinite(value)) throw new PythonError('int too large to convert to float');
  return value;
}

export const isFloat = (x: PythonValue): x is number | WholeFloat =>
  x instanceof WholeFloat || (typeof x === 'number' && !Number.isInteger(x));
/** bool is an int in Python; here it is not. */
export const isInt = (x: PythonValue): x is number | bigint =>
  typeof x === 'bigint' || (typeof x === 'number' && Number.isInteger(x));
export const isNumber = (x: PythonValue): x is PythonNumber => isInt(x) || isFloat(x);
export const isList = (x: PythonValue): x is readonly PythonValue[] => Array.isArray(x);
export const isDict = (x: PythonValue): x is PythonDict => x instanceof Map;

/** An int of this value: a number where that is exact. */
export const int = (x: bigint): number | bigint => {
  const small = Number(x);
  return Number.isSafeInteger(small) ? small : x;
};

type Operand = PythonNumber | boolean;

function operate(
  a: Operand,
  b: Operand,
  ofFloats: (x: number, y: number) => number,
  ofInts: (x: bigint, y: bigint) => bigint,
): PythonNumber {
  const [x, y] = [typeof a === 'boolean' ? Number(a) : a, typeof b === 'boolean' ? Number(b) : b];
  if (isFloat(x) || isFloat(y)) return float(ofFloats(toFiniteNumber(x), toFiniteNumber(y)));
  return int(ofInts(BigInt(x as number | bigint), BigInt(y as number | bigint)));
}

/** a + b of numbers. */
export const add = (a: Operand, b: Operand): PythonNumber =>
  operate(
    a,
    b,
    (x, y) => x + y,
    (x, y) => x + y,
  );
/** a - b */
export const subtract = (a: Operand, b: Operand): PythonNumber =>
  operate(
    a,
    b,
    (x, y) => x - y,
    (x, y) => x - y,
  );
/** a * b of numbers. */
export const multiply = (a: Operand, b: Operand): PythonNumber =>
  operate(
    a,
    b,
    (x, y) => x * y,
    (x, y) => x * y,
  );
/** a / b: always a float. The caller sees to b = 0. */
export function divide(a: Operand, b: Operand): PythonNumber {
  if (typeof a !== 'bigint' && typeof b !== 'bigint') return float(toNumber(a) / toNumber(b));
  if (isFloat(a) || isFloat(b)) return float(toFiniteNumber(a) / toFiniteNumber(b));
  const [n, d] = [BigInt(a as number | bigint | boolean), BigInt(b as number | bigint | boolean)];
  const value = nearestFloat({ numerator: d < 0n ? -n : n, denominator: d < 0n ? -d : d });
  if (!Number.isFinite(value)) throw new PythonError('integer division result too large for a float');
  return float(value);
}

/** round(x, digits): half to even in decimal, of the exact binary value; without digits an int. */
export function round(x: PythonNumber, digits?: number): PythonNumber {
  if (isInt(x)) return digits === undefined || digits >= 0 ? x : int(roundInt(BigInt(x), -digits));
  const value = toNumber(x);
  if (digits !== undefined) return float(decimalRound(value, digits));
  if (Number.isFinite(value)) return int(BigInt(decimalRound(value, 0)));
  throw new PythonError(`cannot convert float ${Number.isNaN(value) ? 'NaN' : 'infinity'} to integer`);
}

function roundInt(x: bigint, zeros: number): bigint {
  if (zeros > x.toString().length) return 0n;
  const unit = 10n ** BigInt(zeros);
  return divideToEven(x, unit) * unit;
}

/** Beyond so many digits every float is its own rounding, or 0. */
const MOST_DIGITS = 330;

function decimalRound(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > MOST_DIGITS) return value;
  if (digits < -MOST_DIGITS) return value * 0;
  const { numerator, denominator } = fractionOf(Math.abs(value));
  const unit = 10n ** BigInt(Math.abs(digits));
  const units = digits >= 0 ? divideToEven(numerator * unit, denominator) : divideToEven(numerator, denominator * unit);
  const size = Number(`${units}e${-digits}`);
  return value < 0 || Object.is(value, -0) ? -size : size;
}

/** a < b, a == b, a > b of numbers as -1, 0, 1; NaN where they cannot be compared. */
export function compareNumbers(a: Operand, b: Operand): number {
  const [x, y] = [typeof a === 'bigint' ? a : toNumber(a), typeof b === 'bigint' ? b : toNumber(b)];
  if (x < y) return -1;
  if (x > y) return 1;
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint equals the number of the same value
  return x == y ? 0 : Number.NaN;
}

/** == */
export function pythonEqual(a: PythonValue, b: PythonValue): boolean {
  const [x, y] = [typeof a === 'boolean' ? Number(a) : a, typeof b === 'boolean' ? Number(b) : b];
  if (isNumber(x) && isNumber(y)) return compareNumbers(x, y) === 0;
  if (isList(x) && isList(y)) return x.length === y.length && x.every((item, i) => pythonEqual(item, y[i]!));
  if (isDict(x) && isDict(y)) {
    if (x.size !== y.size) return false;
    for (const [key, item] of x) if (!y.has(key) || !pythonEqual(item, y.get(key)!)) return false;
    return true;
  }
  return x === y;
}

/** bool(x) */
export function truthy(x: PythonValue): boolean {
  if (isNumber(x)) return toNumber(x) !== 0;
  if (typeof x === 'string' || isList(x)) return x.length > 0;
  return isDict(x) ? x.size > 0 : Boolean(x);
}

/** type(x).__name__ */
export function typeName(x: PythonValue): string {
  if (x === null) return 'NoneType';
  if (typeof x === 'boolean') return 'bool';
  if (typeof x === 'string') return 'str';
  if (isList(x)) return 'list';
  if (isDict(x)) return 'dict';
  if (x instanceof PythonObject) return x.type;
  return isFloat(x) ? 'float' : 'int';
}

/** From `parseJson`: objects become dicts. Keys are strings. */
export function fromJson(value: unknown): PythonValue {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value !== 'object' || value === null || value instanceof WholeFloat) return (value ?? null) as PythonValue;
  return new Map(Object.entries(value).map(([key, member]) => [key, fromJson(member)]));
}

/** A dict from its entries, in order. */
export const dict = (entries: Readonly<Record<string, PythonValue>>): PythonDict => new Map(Object.entries(entries));
