// Calls as JSON objects: {"name": ..., "arguments": {...}}.
import { parseJson } from '../../text/json.ts';
import type { Call } from '../python/literal.ts';
import { dumps } from '../python/print.ts';
import { dict, fromJson, isDict, type PythonDict, type PythonValue, typeName } from '../python/value.ts';
import type { Wanted } from './format.ts';

/** What models call the arguments. */
const ARGUMENTS = ['arguments', 'parameters', 'args'];

/** A call from the text of a JSON object. Arguments may be JSON within a string, as in the OpenAI API. */
export function readJsonCall(text: string): Wanted {
  let value: PythonValue;
  try {
    value = fromJson(parseJson(text.trim(), 'the call'));
  } catch (error) {
    return { problem: (error as Error).message };
  }
  if (!isDict(value)) return { problem: `a call must be a JSON object, not a ${typeName(value)}` };
  const name = value.get('name');
  if (typeof name !== 'string' || name === '') return { problem: 'a call must have a "name", the name of a function' };
  const key = ARGUMENTS.find((candidate) => value.has(candidate));
  const given = key === undefined ? dict({}) : argumentsIn(value.get(key)!);
  if (given === null) return { problem: `"${key}" of a call must be a JSON object with the arguments by their names` };
  return { call: { name, positional: [], named: Array.from(given, ([member, item]) => [String(member), item]) } };
}

function argumentsIn(value: PythonValue): PythonDict | null {
  if (value === null) return dict({});
  if (isDict(value)) return value;
  if (typeof value !== 'string') return null;
  try {
    const inner = fromJson(parseJson(value));
    return isDict(inner) ? inner : null;
  } catch {
    return null;
  }
}

/** A call whose arguments all have names. Throws an `Error` for others: JSON has no place for them. */
export function writeJsonCall(
  { name, positional, named }: Call,
  key: 'arguments' | 'parameters' = 'arguments',
): string {
  if (positional.length > 0) throw new Error(`${name}: arguments without names cannot be written as JSON`);
  return dumps(dict({ name, [key]: new Map(named) }));
}

/** The JSON objects at the beginning of a text, one after the other, with spaces, commas or semicolons between; and what is left. */
export function leadingObjects(text: string): { readonly objects: readonly string[]; readonly rest: string } {
  const objects: string[] = [];
  let at = 0;
  for (;;) {
    while (/[\s;,]/.test(text[at] ?? '')) at++;
    if (text[at] !== '{') return { objects, rest: text.slice(at) };
    const end = endOfObject(text, at);
    if (end < 0) return { objects, rest: text.slice(at) };
    objects.push(text.slice(at, end));
    at = end;
  }
}

/** Behind the bracket that closes the one at `start`; -1 where none does. */
function endOfObject(text: string, start: number): number {
  let [depth, inText] = [0, false];
  for (let i = start; i < text.length; i++) {
    const c = text[i];
    if (inText) {
      if (c === '\\') i++;
      else if (c === '"') inText = false;
    } else if (c === '"') inText = true;
    else if (c === '{') depth++;
    else if (c === '}' && --depth === 0) return i + 1;
  }
  return -1;
}
