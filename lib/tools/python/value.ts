// Python's values in JavaScript, and the arithmetic that keeps an int an int and a float a float: simulators compute with them and
// their results are printed as Python prints them.
import { WholeFloat } from '../../text/json.ts';

/**
 * None is null, True and False are booleans, text is a string (of code points), a list an array, a dict a Map or a plain
 * object (`PythonDict`). An int is a number without a fraction, or a bigint beyond 2^53; a float is a number with a fraction, not
 * finite, or a `WholeFloat` (as `parseJson` reads them).
 */
export type PythonValue = null | boolean | string | number | bigint | WholeFloat | readonly PythonValue[] | PythonDict;
/** Keys keep their order, and are strings or ints: `{ '10': ... }` and `{ 10: ... }` are different. */
export type PythonDict = Map<string | number, PythonValue>;
export type PythonNumber = number | bigint | WholeFloat;

/** A float of this value. */
export const float = (x: number): number | WholeFloat => (Number.isInteger(x) ? new WholeFloat(x) : x);

/** The JavaScript number of an int, float or bool. */
export const toNumber = (x: PythonNumber | boolean): number => (x instanceof WholeFloat ? x.value : Number(x));

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
  if (isFloat(x) || isFloat(y)) return float(ofFloats(toNumber(x), toNumber(y)));
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
export const divide = (a: Operand, b: Operand): PythonNumber => float(toNumber(a) / toNumber(b));

/** round(x, digits): half to even in decimal, of the exact binary value; without digits an int. */
export function round(x: PythonNumber, digits?: number): PythonNumber {
  if (isInt(x)) return x;
  const value = toNumber(x);
  if (digits === undefined) return int(BigInt(decimalRound(value, 0)));
  return float(decimalRound(value, digits));
}

/** toFixed rounds the exact binary value half up; a tie can only be where the value ends in exactly half a unit. */
function decimalRound(value: number, digits: number): number {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) return value;
  const text = Math.abs(value).toFixed(Math.min(100, digits + 30));
  const point = text.indexOf('.');
  const cut = point + 1 + digits;
  const kept = digits === 0 ? text.slice(0, point) : text.slice(0, cut);
  const rest = text.slice(cut);
  const tie = /^50*$/.test(rest);
  const last = Number(kept.at(-1));
  const up = tie ? last % 2 === 1 : rest >= '5';
  const scaled = BigInt(kept.replace('.', '')) + (up ? 1n : 0n);
  const digitsText = scaled.toString().padStart(digits + 1, '0');
  const result = Number(digits === 0 ? digitsText : `${digitsText.slice(0, -digits)}.${digitsText.slice(-digits)}`);
  return value < 0 ? -result : result;
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
