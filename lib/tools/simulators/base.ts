// What the simulated APIs share: a table of methods from signatures, attributes with defaults.
import { UserError } from '../../errors.ts';
import { parseLiteral } from '../python/literal.ts';
import { PythonRandom } from '../python/random.ts';
import { dict, isDict, isInt, isList, type PythonDict, type PythonValue, typeName } from '../python/value.ts';
import type { Clock, Method, Parameter, Simulator } from '../simulator.ts';

/** A list that is changed in place. */
export type List = PythonValue[];

export abstract class BaseSimulator implements Simulator {
  readonly methods = new Map<string, Method>();
  protected readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /**
   * `signature` as Python writes it: `f(a, b=1)`. As in Python, a default list is one list for all calls, and stays changed when a
   * method changes it.
   */
  protected define(signature: string, run: (...values: PythonValue[]) => PythonValue): void {
    const open = signature.indexOf('(');
    const inner = signature.slice(open + 1, -1);
    const parameters = inner === '' ? [] : inner.split(', ').map(parameterOf);
    this.methods.set(signature.slice(0, open), { parameters, run });
  }

  abstract load(config: PythonDict, longContext?: boolean): void;
  abstract state(): PythonDict;
}

function parameterOf(text: string): Parameter {
  const [name, value] = text.split('=');
  return value === undefined ? { name: name! } : { name: name!, default: parseLiteral(value) };
}

/** config.get(key, otherwise) */
export function given(config: PythonDict, key: string, otherwise: PythonValue): PythonValue {
  const value = config.get(key);
  return value === undefined ? otherwise : value;
}

const wrong = (key: string, kind: string, value: PythonValue): never => {
  throw new UserError(`initial_config: ${key} must be ${kind === 'int' ? 'an' : 'a'} ${kind}, not ${typeName(value)}`);
};

/** The same, for a list. Throws a `UserError` for anything else. */
export function givenList(config: PythonDict, key: string, otherwise: List): List {
  const value = given(config, key, otherwise);
  return isList(value) ? (value as List) : wrong(key, 'list', value);
}

/** The same, for a dict. Throws a `UserError` for anything else. */
export function givenDict(config: PythonDict, key: string, otherwise: PythonDict): PythonDict {
  const value = given(config, key, otherwise);
  return isDict(value) ? value : wrong(key, 'dict', value);
}

/** A generator of random numbers from the configured seed. Throws a `UserError` for a seed that is no int. */
export function givenRandom(config: PythonDict, otherwise: number): PythonRandom {
  const seed = given(config, 'random_seed', otherwise);
  return isInt(seed) ? new PythonRandom(seed) : wrong('random_seed', 'int', seed);
}

/** Refuses long contexts, for an API whose reference fills them with texts that are not here. */
export function refuseLongContext(className: string, longContext: boolean): void {
  if (longContext) throw new UserError(`${className} has no fillers for long contexts here`);
}

/** How the APIs report that something cannot be done. */
export const error = (message: string): PythonDict => dict({ error: message });
