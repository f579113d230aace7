// str(), repr() and json.dumps() of Python values.
import { pythonFloat, WholeFloat } from '../../text/json.ts';
import { PythonError } from '../simulator.ts';
import { divideToEven, fractionOf } from './rational.ts';
import { isDict, isList, type PythonNumber, PythonObject, type PythonValue, toFiniteNumber } from './value.ts';

/** str(x) */
export const str = (x: PythonValue): string => (typeof x === 'string' ? x : repr(x));

/** repr(x) */
export function repr(x: PythonValue): string {
  if (x === null) return 'None';
  if (typeof x === 'boolean') return x ? 'True' : 'False';
  if (typeof x === 'string') return quoted(x);
  if (isList(x)) return `[${x.map(repr).join(', ')}]`;
  if (isDict(x)) return `{${Array.from(x, ([key, member]) => `${repr(key)}: ${repr(member)}`).join(', ')}}`;
  if (x instanceof PythonObject) return x.repr;
  return numberText(x, true);
}

/** Whether json.dumps() can write it. */
export function isPlain(x: PythonValue): boolean {
  if (x instanceof PythonObject) return false;
  if (isList(x)) return x.every(isPlain);
  return !isDict(x) || [...x.values()].every(isPlain);
}

/** json.dumps(x) with its defaults: a space behind separators, ASCII only. */
export function dumps(x: PythonValue): string {
  if (x === null) return 'null';
  if (typeof x === 'boolean') return String(x);
  if (typeof x === 'string') return JSON.stringify(x).replace(/[\x7f-\uffff]/g, escaped);
  if (isList(x)) return `[${x.map(dumps).join(', ')}]`;
  if (isDict(x)) return `{${Array.from(x, ([key, member]) => `${dumps(String(key))}: ${dumps(member)}`).join(', ')}}`;
  if (x instanceof PythonObject) throw new Error(`Object of type ${x.type} is not JSON serializable`);
  return numberText(x, false);
}

/** Python prints no longer ints. */
export const MOST_DIGITS = 4300;
const SETTING = 'use sys.set_int_max_str_digits() to increase the limit';
export const TOO_LONG = `Exceeds the limit (${MOST_DIGITS} digits) for integer string conversion; ${SETTING}`;

function numberText(x: number | bigint | WholeFloat, python: boolean): string {
  if (x instanceof WholeFloat) return pythonFloat(x.value);
  if (typeof x === 'bigint' || Number.isInteger(x)) {
    const text = String(BigInt(x));
    if (text.length > MOST_DIGITS + (x < 0 ? 1 : 0)) throw new PythonError(TOO_LONG);
    return text;
  }
  if (!python || Number.isFinite(x)) return pythonFloat(x);
  return Number.isNaN(x) ? 'nan' : x > 0 ? 'inf' : '-inf';
}

/** f'{x:.2f}' of a number, with so many digits behind the point; ints are converted to floats. */
export function fixed(x: PythonNumber | boolean, digits: number): string {
  const value = toFiniteNumber(x);
  if (!Number.isFinite(value)) return repr(value);
  const { numerator, denominator } = fractionOf(Math.abs(value));
  const units = divideToEven(numerator * 10n ** BigInt(digits), denominator);
  const text = String(units).padStart(digits + 1, '0');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return `${sign}${text.slice(0, text.length - digits)}.${text.slice(text.length - digits)}`;
}

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = Array.from(text, (c) => {
    if (c === quote) return `\\${c}`;
    const named = NAMED[c];
    if (named !== undefined) return named;
    if (c === ' ' || !/[\p{C}\p{Z}]/u.test(c)) return c;
    const code = c.codePointAt(0)!;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
  });
  return quote + inner.join('') + quote;
}
