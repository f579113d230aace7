// Values of a template as Python has them: conversion from JavaScript, str() and json.dumps().
import { UserError } from '../../errors.ts';
import {
  ArrayValue,
  BooleanValue,
  FloatValue,
  IntegerValue,
  NullValue,
  ObjectValue,
  type RuntimeValue,
  StringValue,
  UndefinedValue,
} from './jinja-package.ts';
import { pythonFloat, WholeFloat } from '../json.ts';
import { wellFormed } from '../well-formed.ts';

/** Converts JSON-like values; every text, keys included, goes through `text`. Throws a `UserError` for others. */
export function toRuntime(value: unknown, text: (text: string) => string, where: string, depth = 0): RuntimeValue {
  if (depth > 200) throw new UserError(`${where} is nested deeper than 200`);
  if (value === null) return new NullValue(null);
  switch (typeof value) {
    case 'undefined':
      return new UndefinedValue(undefined);
    case 'string':
      return new StringValue(text(wellFormed(value)));
    case 'boolean':
      return new BooleanValue(value);
    case 'bigint':
      return new IntegerValue(value);
    case 'number':
      return Number.isInteger(value) ? new IntegerValue(value) : float(value);
    case 'object':
      break;
    default:
      throw new UserError(`${where} holds a ${typeof value}, which a chat template cannot take`);
  }
  if (value instanceof WholeFloat) return float(value.value);
  const inner = (member: unknown): RuntimeValue => toRuntime(member, text, where, depth + 1);
  if (Array.isArray(value)) return new ArrayValue(value.map(inner));
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return new ObjectValue(new Map(entries.map(([key, member]) => [text(wellFormed(key)), inner(member)])));
}

/** A float that prints as Python's does. */
function float(value: number): RuntimeValue {
  return Object.assign(new FloatValue(value), { toString: () => pythonFloat(value) });
}

/** str(), as {{ }} prints a value. */
export function pythonText(value: RuntimeValue): string {
  if (value.type === 'UndefinedValue') return '';
  if (['ArrayValue', 'TupleValue', 'ObjectValue'].includes(value.type)) return pythonRepr(value);
  if (value.type === 'NullValue') return 'None';
  if (value.type === 'BooleanValue') return value.value ? 'True' : 'False';
  if (value.type === 'FloatValue') return pythonFloat(value.value as number);
  return String(value);
}

function pythonRepr(value: RuntimeValue): string {
  if (value.type === 'StringValue') return quoted(value.value as string);
  if (value.value instanceof Map) {
    const entries = Array.from(value.value as Map<string, RuntimeValue>, ([key, item]) => [
      quoted(key),
      pythonRepr(item),
    ]);
    return `{${entries.map(([key, item]) => `${key}: ${item}`).join(', ')}}`;
  }
  if (!Array.isArray(value.value)) return pythonText(value);
  const items = (value.value as RuntimeValue[]).map(pythonRepr).join(', ');
  if (value.type === 'TupleValue') return value.value.length === 1 ? `(${items},)` : `(${items})`;
  return `[${items}]`;
}

/** repr() of text */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const named: Readonly<Record<string, string>> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\\': '\\\\',
    [quote]: `\\${quote}`,
  };
  const inner = Array.from(text, (c) => {
    if (c in named) return named[c]!;
    const code = c.codePointAt(0)!;
    if (c === ' ' || !/[\p{C}\p{Z}]/u.test(c)) return c;
    const hex = code.toString(16);
    return code < 0x100
      ? `\\x${hex.padStart(2, '0')}`
      : code < 0x10000
        ? `\\u${hex.padStart(4, '0')}`
        : `\\U${hex.padStart(8, '0')}`;
  });
  return quote + inner.join('') + quote;
}

/** == */
export function pythonEqual(left: RuntimeValue, right: RuntimeValue): boolean {
  const [a, b] = [left.value, right.value];
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => pythonEqual(item, b[i]));
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && Array.from(a).every(([key, item]) => b.has(key) && pythonEqual(item, b.get(key)));
  }
  // True is 1; a bigint equals the float of the same value.
  const number = (value: unknown): unknown => (typeof value === 'boolean' ? Number(value) : value);
  // biome-ignore lint/suspicious/noDoubleEquals: of two numbers, to compare bigints with floats
  return typeof number(a) === typeof number(b) || isNumber(a, b) ? number(a) == number(b) : false;
}

const isNumber = (...values: unknown[]): boolean =>
  values.every((value) => ['number', 'bigint'].includes(typeof value));

export interface DumpSettings {
  readonly indent: number | null;
  readonly ensureAscii: boolean;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/** json.dumps() */
export function dumpJson(value: RuntimeValue, settings: DumpSettings, depth = 0): string {
  const { indent, ensureAscii, separators, sortKeys } = settings;
  const text = (content: string): string =>
    ensureAscii ? JSON.stringify(content).replace(/[\x7f-\uffff]/g, escaped) : JSON.stringify(content);
  switch (value.type) {
    case 'NullValue':
      return 'null';
    case 'BooleanValue':
    case 'IntegerValue':
      return String(value.value);
    case 'FloatValue':
      return pythonFloat(value.value as number);
    case 'StringValue':
      return text(value.value as string);
    case 'ArrayValue':
    case 'TupleValue': {
      const items = value.value as readonly RuntimeValue[];
      return wrap(
        '[]',
        items.map((item) => dumpJson(item, settings, depth + 1)),
      );
    }
    case 'ObjectValue': {
      const entries = [...(value.value as ReadonlyMap<string, RuntimeValue>)];
      if (sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : 1));
      return wrap(
        '{}',
        entries.map(([key, member]) => text(key) + separators[1] + dumpJson(member, settings, depth + 1)),
      );
    }
    default:
      throw new Error(`${value.type.replace('Value', '')} is not JSON serializable`);
  }

  function wrap(brackets: string, members: readonly string[]): string {
    const [open, close] = [brackets[0]!, brackets[1]!];
    if (members.length === 0) return brackets;
    if (indent === null) return open + members.join(separators[0]) + close;
    const line = (level: number): string => `\n${' '.repeat(indent * level)}`;
    return open + line(depth + 1) + members.join(separators[0] + line(depth + 1)) + line(depth) + close;
  }
}

const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
