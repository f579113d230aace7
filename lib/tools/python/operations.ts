// Operators and methods of Python's values that fail as Python's do: wrong types give the text of the TypeError.
import { WholeFloat } from '../../text/json.ts';
import { PythonError, PythonTypeError } from '../simulator.ts';
import { repr } from './print.ts';
import {
  add,
  compareNumbers,
  divide,
  float,
  isDict,
  isFloat,
  isList,
  isNumber,
  multiply,
  type PythonDict,
  PythonObject,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  round,
  subtract,
  toFiniteNumber,
  toNumber,
  typeName,
} from './value.ts';

const fail = (message: string): never => {
  throw new PythonError(message);
};
const typeError = (message: string): never => {
  throw new PythonTypeError(message);
};

export const isNumeric = (x: PythonValue): x is PythonNumber | boolean => typeof x === 'boolean' || isNumber(x);

function compared(a: PythonValue, b: PythonValue, operator: string): number {
  if (isNumeric(a) && isNumeric(b)) return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  if (isList(a) && isList(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      if (!pythonEqual(a[i]!, b[i]!)) return compared(a[i]!, b[i]!, operator);
    }
    return Math.sign(a.length - b.length);
  }
  return typeError(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points, which UTF-16 units are not. */
export function compareText(a: string, b: string): number {
  const [x, y] = [[...a], [...b]];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = x[i]!.codePointAt(0)! - y[i]!.codePointAt(0)!;
    if (difference !== 0) return Math.sign(difference);
  }
  return Math.sign(x.length - y.length);
}

export const less = (a: PythonValue, b: PythonValue): boolean => compared(a, b, '<') < 0;
export const atMost = (a: PythonValue, b: PythonValue): boolean => compared(a, b, '<=') <= 0;
export const greater = (a: PythonValue, b: PythonValue): boolean => compared(a, b, '>') > 0;
export const atLeast = (a: PythonValue, b: PythonValue): boolean => compared(a, b, '>=') >= 0;

const unsupported = (operator: string, a: PythonValue, b: PythonValue): never =>
  typeError(`unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);

/** a + b; `operator` is += where the statement is. */
export function plus(a: PythonValue, b: PythonValue, operator = '+'): PythonValue {
  if (isNumeric(a) && isNumeric(b)) return add(a, b);
  if (typeof a === 'string') {
    return typeof b === 'string' ? a + b : typeError(`can only concatenate str (not "${typeName(b)}") to str`);
  }
  if (isList(a) && operator === '+=') return [...a, ...iterate(b)];
  if (isList(a))
    return isList(b) ? [...a, ...b] : typeError(`can only concatenate list (not "${typeName(b)}") to list`);
  return unsupported(operator, a, b);
}

export function minus(a: PythonValue, b: PythonValue, operator = '-'): PythonValue {
  return isNumeric(a) && isNumeric(b) ? subtract(a, b) : unsupported(operator, a, b);
}

export function times(a: PythonValue, b: PythonValue): PythonValue {
  if (isNumeric(a) && isNumeric(b)) return multiply(a, b);
  const [sequence, count] = isNumeric(a) ? [b, a] : [a, b];
  if (typeof sequence === 'string' || isList(sequence)) {
    if (!isNumeric(count) || count instanceof WholeFloat || !Number.isInteger(Number(count))) {
      return typeError(`can't multiply sequence by non-int of type '${typeName(count)}'`);
    }
    const n = Math.max(0, Math.min(1e6, Number(count)));
    return typeof sequence === 'string' ? sequence.repeat(n) : Array.from({ length: n }, () => sequence).flat();
  }
  return unsupported('*', a, b);
}

export function over(a: PythonValue, b: PythonValue): PythonValue {
  if (!isNumeric(a) || !isNumeric(b)) return unsupported('/', a, b);
  if (toNumber(b) === 0) {
    return fail(
      a instanceof WholeFloat || b instanceof WholeFloat || !Number.isInteger(Number(a))
        ? 'float division by zero'
        : 'division by zero',
    );
  }
  return divide(a, b);
}

const DIGITS = String.raw`\d(?:_?\d)*`;
const FLOAT = new RegExp(`^[-+]?(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:[eE][-+]?${DIGITS})?$`);

/** float(x) */
export function toFloat(x: PythonValue): number | WholeFloat {
  if (isNumeric(x)) return float(toFiniteNumber(x));
  if (typeof x !== 'string') {
    return typeError(`float() argument must be a string or a real number, not '${typeName(x)}'`);
  }
  const text = x.trim();
  if (FLOAT.test(text)) return float(Number(text.replace(/_/g, '')));
  if (/^[-+]?nan$/i.test(text)) return Number.NaN;
  if (/^[-+]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return fail(`could not convert string to float: ${repr(x)}`);
}

/** int(x) of a number: towards 0. */
export function toInt(x: PythonNumber | boolean): PythonNumber {
  if (typeof x === 'boolean') return Number(x);
  return isFloat(x) ? round(float(Math.trunc(toNumber(x)))) : x;
}

/** A text, for a method of texts. */
export function textWith(x: PythonValue, method: string): string {
  return typeof x === 'string' ? x : fail(`'${typeName(x)}' object has no attribute '${method}'`);
}

/** A dict, for a method of dicts. */
export function dictWith(x: PythonValue, method: string): PythonDict {
  return isDict(x) ? x : fail(`'${typeName(x)}' object has no attribute '${method}'`);
}

/** abs(x) */
export function absolute(x: PythonValue): PythonValue {
  if (!isNumeric(x)) return typeError(`bad operand type for abs(): '${typeName(x)}'`);
  return toNumber(x) < 0 ? subtract(0, x) : add(0, x);
}

/** The key of a dict that equals x; null where x can be none. Throws for what cannot be hashed. */
export function keyOf(x: PythonValue): string | number | null {
  if (typeof x === 'string') return x;
  if (isList(x) || isDict(x)) return typeError(`unhashable type: '${typeName(x)}'`);
  if (x === null) return null;
  if (x instanceof PythonObject) return x.repr;
  return toNumber(x);
}

export function hasKey(dict: PythonDict, key: PythonValue): boolean {
  const found = keyOf(key);
  return found !== null && dict.has(found);
}

/** x[key] of a dict; a KeyError's text is the key's repr. Of anything else it is the TypeError for a key that is a text. */
export function at(x: PythonValue, key: PythonValue): PythonValue {
  if (isDict(x)) return hasKey(x, key) ? x.get(keyOf(key)!)! : fail(repr(key));
  if (typeof x === 'string') return typeError("string indices must be integers, not 'str'");
  if (isList(x)) return typeError('list indices must be integers or slices, not str');
  return typeError(`'${typeName(x)}' object is not subscriptable`);
}

/** Items of what can be iterated. */
export function iterate(x: PythonValue): readonly PythonValue[] {
  if (isList(x)) return x;
  if (typeof x === 'string') return [...x];
  if (isDict(x)) return [...x.keys()];
  return typeError(`'${typeName(x)}' object is not iterable`);
}

/** len(x) */
export function length(x: PythonValue): number {
  if (typeof x === 'string') return [...x].length;
  if (isList(x)) return x.length;
  return isDict(x) ? x.size : typeError(`object of type '${typeName(x)}' has no len()`);
}

/** x in y */
export function contains(y: PythonValue, x: PythonValue): boolean {
  if (typeof y === 'string') {
    return typeof x === 'string'
      ? y.includes(x)
      : typeError(`'in <string>' requires string as left operand, not ${typeName(x)}`);
  }
  if (isDict(y)) return hasKey(y, x);
  if (isList(y)) return y.some((item) => pythonEqual(item, x));
  return typeError(`argument of type '${typeName(y)}' is not iterable`);
}

// The separators of files, groups and records count, too.
const LINE_END = new RegExp(`\\r\\n|[\\n\\r\\v\\f${String.fromCharCode(0x1c, 0x1d, 0x1e, 0x85)}\u2028\u2029]`);
/** Lines as str.splitlines() gives them. */
export function splitLines(text: string): string[] {
  const lines = text.split(LINE_END);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

const controls = (...codes: number[]): string => String.fromCharCode(...codes);
const SPACES = new RegExp(
  `[\\t-\\r${controls(0x1c, 0x1d, 0x1e, 0x1f)} ${controls(0x85)}\\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+`,
);
/** Words as str.split() gives them. */
export const splitWords = (text: string): string[] => text.split(SPACES).filter((word) => word !== '');
