// Calls as Python writes them, f(1, a='x', b=[True, None]), read without running anything: arguments are literals only.
import { unescaped } from './escapes.ts';
import { NotACall, UndefinedName } from './not-a-call.ts';
import { MOST_DIGITS } from './print.ts';
import { float, int, isNumber, type PythonDict, type PythonValue, toNumber } from './value.ts';

export interface Call {
  readonly name: string;
  readonly positional: readonly PythonValue[];
  readonly named: readonly (readonly [name: string, value: PythonValue])[];
}

const DEEPEST = 50;

/** `f(1, a='x')`. Throws `NotACall`. */
export function parseCall(text: string): Call {
  const reader = new Reader(text);
  const call = reader.call();
  reader.end();
  return call;
}

/** `[f(a=1), g()]`, or one call. Throws `NotACall`. */
export function parseCalls(text: string): Call[] {
  const reader = new Reader(text);
  const calls = reader.take('[') ? reader.separated(']', () => reader.call()).items : [reader.call()];
  reader.end();
  return calls;
}

/** A literal: text, number, True, False, None, list, dict; a tuple becomes a list. Throws `NotACall`. */
export function parseLiteral(text: string): PythonValue {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  #at = 0;
  #depth = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The match of a sticky pattern behind spaces; it is consumed. */
  #match(pattern: RegExp): RegExpExecArray | null {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found;
  }

  #fail(): never {
    const next = /\s*(.?)/suy;
    next.lastIndex = this.#at;
    const character = next.exec(this.#text)![1]!;
    if (character === '') throw new NotACall(this.#depth > 0 ? "'(' was never closed" : 'invalid syntax');
    if (character === "'" || character === '"') throw new NotACall('unterminated string literal (detected at line 1)');
    throw new NotACall('invalid syntax');
  }

  take(text: string): boolean {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  end(): void {
    if (this.#match(/.+/suy) !== null) throw new NotACall('invalid syntax');
  }

  call(): Call {
    const name = this.#match(/[A-Za-z_]\w*/y)?.[0];
    if (name === undefined) return this.#fail();
    if (!this.take('(')) {
      if (this.#match(/.+/suy) === null) throw new UndefinedName(name);
      throw new NotACall('invalid syntax');
    }
    const positional: PythonValue[] = [];
    const named: [string, PythonValue][] = [];
    this.separated(')', () => {
      const key = this.#match(/([A-Za-z_]\w*)\s*=(?!=)/y)?.[1];
      if (key === undefined) {
        const value = this.value();
        if (named.length > 0) throw new NotACall('positional argument follows keyword argument');
        positional.push(value);
        return;
      }
      if (named.some(([other]) => other === key)) throw new NotACall(`keyword argument repeated: ${key}`);
      named.push([key, this.value()]);
    });
    return { name, positional, named };
  }

  /** Items up to the closing bracket; `comma` tells whether there was a comma, as a tuple of one item has. */
  separated<T>(close: string, read: () => T): { items: T[]; comma: boolean } {
    if (++this.#depth > DEEPEST) throw new NotACall('too many nested parentheses');
    const items: T[] = [];
    let comma = false;
    while (!this.take(close)) {
      items.push(read());
      if (this.take(close)) break;
      if (!this.take(',')) this.#fail();
      comma = true;
    }
    this.#depth--;
    return { items, comma };
  }

  value(): PythonValue {
    if (this.take('[')) return this.separated(']', () => this.value()).items;
    if (this.take('{')) return this.#dict();
    if (this.take('(')) {
      const { items, comma } = this.separated(')', () => this.value());
      return items.length === 1 && !comma ? items[0]! : items;
    }
    const text = this.#string();
    if (text !== null) {
      let whole = text;
      for (let next = this.#string(); next !== null; next = this.#string()) whole += next;
      return whole;
    }
    const number = this.#match(NUMBER)?.[0];
    if (number !== undefined) return numberOf(number.replace(/[\s_]/g, ''));
    const word = this.#match(/[A-Za-z_]\w*/y)?.[0];
    if (word === 'None') return null;
    if (word === 'True' || word === 'False') return word === 'True';
    if (word !== undefined) throw new UndefinedName(word);
    return this.#fail();
  }

  #dict(): PythonDict {
    const dict: PythonDict = new Map();
    this.separated('}', () => {
      const key = this.value();
      if (!this.take(':')) this.#fail();
      dict.set(keyOfLiteral(key), this.value());
    });
    return dict;
  }

  #string(): string | null {
    const found = this.#match(STRING);
    if (found === null) return null;
    const [, prefix, long, short] = found;
    const inner = long === undefined ? short!.slice(1, -1) : long.slice(3, -3);
    return /[rR]/.test(prefix!) ? inner : unescaped(inner);
  }
}

/** Behind it no letter may follow: 2024a and 3j are no numbers here. */
const NUMBER =
  /[-+]?\s*(?:0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?)(?!\w)/y;
const STRING =
  /([rRuU]?)(?:('''[\s\S]*?'''|"""[\s\S]*?""")|('[^'\\\n]*(?:\\[\s\S][^'\\\n]*)*'|"[^"\\\n]*(?:\\[\s\S][^"\\\n]*)*"))/y;

function keyOfLiteral(key: PythonValue): string | number {
  if (typeof key === 'string') return key;
  if (typeof key === 'boolean' || isNumber(key)) return toNumber(key);
  throw new NotACall('keys must be str, int, float or bool');
}

function numberOf(text: string): PythonValue {
  const negative = text.startsWith('-');
  const size = text.replace(/^[-+]/, '');
  if (!/^(?:0[xXoObB].*|\d+)$/.test(size)) return float(Number(text));
  if (size.length > MOST_DIGITS) throw new NotACall(`Exceeds the limit (${MOST_DIGITS} digits) for integers`);
  if (/^0\d*[1-9]/.test(size)) throw new NotACall('leading zeros in decimal integer literals are not permitted');
  return int(negative ? -BigInt(size) : BigInt(size));
}
