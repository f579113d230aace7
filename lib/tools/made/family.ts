// What a kind of made tasks is: the functions of a simulated API in our own words, and errands that can be done with them.
import type { Random } from '../../rng.ts';
import type { FunctionDocument } from '../bfcl/functions.ts';
import type { Call } from '../python/literal.ts';
import { fromJson } from '../python/value.ts';

/** A request in words, and the calls that fulfil it. */
export interface Errand {
  readonly request: string;
  readonly calls: readonly Call[];
}

/** A world that errands are run in, one after the other; they know what earlier ones have changed. */
export interface Scene {
  /** The simulator's initial state, as JSON has it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The next errand; null where what was drawn cannot be asked for now. */
  errand(random: Random): Errand | null;
}

export interface Family {
  readonly className: string;
  readonly documents: readonly FunctionDocument[];
  scene(random: Random): Scene;
}

/** A call from plain values. */
export const call = (name: string, named: Readonly<Record<string, unknown>> = {}): Call => ({
  name,
  positional: [],
  named: Object.entries(named).map(([key, value]) => [key, fromJson(value)]),
});

/** One of several wordings. */
export const say = (random: Random, ...wordings: readonly string[]): string => random.pick(wordings);

const TYPES: Readonly<Record<string, unknown>> = {
  str: { type: 'string' },
  int: { type: 'integer' },
  float: { type: 'number' },
  bool: { type: 'boolean' },
  dict: { type: 'object' },
  texts: { type: 'array', items: { type: 'string' } },
  numbers: { type: 'array', items: { type: 'number' } },
};

/**
 * Documents from lines `name(argument: type, optional?: type): what it does`. Types: str, int, float, bool, dict, texts, numbers.
 */
export function documents(lines: string): FunctionDocument[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [, name, inner, description] = /^\s*(\w+)\((.*?)\): (.*)$/.exec(line)!;
      const parameters = inner === '' ? [] : inner!.split(', ').map((text) => text.split(': ') as [string, string]);
      return {
        name: name!,
        description: description!,
        parameters: {
          type: 'object',
          properties: Object.fromEntries(
            parameters.map(([key, type]) => [key.replace('?', ''), { ...(TYPES[type] as object) }]),
          ),
          required: parameters.flatMap(([key]) => (key.endsWith('?') ? [] : [key])),
        },
      };
    });
}
