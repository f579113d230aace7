// JSON as Python reads and writes it: 1.0 stays 1.0, long integers keep their digits. Templates print tool arguments,
// and models have seen them printed that way.
import { UserError } from '../errors.ts';

/** A number that was written with a point or an exponent and has no fraction: `1.0`, `1e22`. */
export class WholeFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  toJSON(): number {
    return this.value;
  }
}

const NUMBER_OR_STRING = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const TAG = '\u0000number';
const ESCAPED_TAG = '\\u0000number';

/**
 * `JSON.parse`, but with a `WholeFloat` for a float without a fraction and a bigint for an integer beyond 2^53, so that
 * a chat template prints them as they were. Throws a `UserError` that starts with `where`.
 */
export function parseJson(text: string, where = 'JSON'): unknown {
  try {
    const plain: unknown = JSON.parse(text);
    if (!/\d[.eE]|\d{16}/.test(text) || text.includes(ESCAPED_TAG)) return plain;
    const tagged = text.replace(NUMBER_OR_STRING, (match) =>
      match.startsWith('"') || isPlain(match) ? match : `{"${ESCAPED_TAG}":"${match}"}`,
    );
    return JSON.parse(tagged, (_, value) => (isTagged(value) ? exactNumber(value[TAG]) : value));
  } catch (error) {
    throw new UserError(`${where} is not valid JSON: ${(error as Error).message}`, { cause: error });
  }
}

const isFloat = (text: string): boolean => /[.eE]/.test(text);

/** Whether a JavaScript number can be told to have been written like this. */
function isPlain(text: string): boolean {
  return isFloat(text) ? !Number.isInteger(Number(text)) : Number.isSafeInteger(Number(text));
}

function isTagged(value: unknown): value is { readonly [TAG]: string } {
  return typeof value === 'object' && value !== null && TAG in value;
}

function exactNumber(text: string): WholeFloat | bigint {
  return isFloat(text) ? new WholeFloat(Number(text)) : BigInt(text);
}

/** repr() of a float: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on. */
export function pythonFloat(x: number): string {
  if (Number.isNaN(x)) return 'NaN';
  if (!Number.isFinite(x)) return x > 0 ? 'Infinity' : '-Infinity';
  const sign = x < 0 || Object.is(x, -0) ? '-' : '';
  if (x === 0) return `${sign}0.0`;
  const [mantissa, exponentText] = Math.abs(x).toExponential().split('e');
  const digits = mantissa!.replace('.', '');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}
