// Calls, run against simulated APIs through their tables of methods; results as the texts that a model sees.
import { type Call, parseCall } from './python/literal.ts';
import { NotACall, UndefinedName } from './python/not-a-call.ts';
import { dumps, isPlain, str } from './python/print.ts';
import { isDict, type PythonValue } from './python/value.ts';
import { type Method, PythonError, type Simulator } from './simulator.ts';

/** Instances by the name of their class. */
export type Instances = ReadonlyMap<string, Simulator>;

/** Names that BFCL refuses before it looks for a method. */
const REFUSED = new Set(['kill', 'exit', 'quit', 'remove', 'unlink', 'popen', 'Popen', 'run']);

/** Runs a call written as Python writes it. Whatever goes wrong is a result. */
export function runText(instances: Instances, text: string): string {
  const refused = text.split('(')[0]!.split('.').slice(0, 2).at(-1)!;
  if (REFUSED.has(refused)) return failed(`Function call ${refused} is not allowed.`);
  try {
    return runCall(instances, parseCall(text));
  } catch (error) {
    if (error instanceof UndefinedName) return failed(error.message);
    if (error instanceof NotACall) return failed(`${error.message} (<string>, line 1)`);
    throw error;
  }
}

/** Runs a call that has been read. Whatever goes wrong is a result. */
export function runCall(instances: Instances, { name, positional, named }: Call): string {
  if (REFUSED.has(name)) return failed(`Function call ${name} is not allowed.`);
  const found = methodOf(instances, name);
  if (found === null) return failed(`name '${name}' is not defined`);
  try {
    return resultText(found.method.run(...bind(found.where, found.method, positional, named)));
  } catch (error) {
    if (error instanceof PythonError) return failed(error.message);
    // Numbers or nesting beyond what the engine holds, where Python may have more room.
    if (error instanceof RangeError) return failed('too large to compute');
    throw error;
  }
}

/** The values of all parameters of a call, in order; null where there is no such method, or they do not fit it. */
export function argumentsOf(instances: Instances, { name, positional, named }: Call): PythonValue[] | null {
  const found = methodOf(instances, name);
  if (found === null) return null;
  try {
    return bind(found.where, found.method, positional, named);
  } catch (error) {
    if (error instanceof PythonError) return null;
    throw error;
  }
}

/** The method of a name; of two classes that have it, the last one's. */
function methodOf(instances: Instances, name: string): { where: string; method: Method } | null {
  const owner = Array.from(instances).findLast(([, simulator]) => simulator.methods.has(name));
  return owner === undefined ? null : { where: `${owner[0]}.${name}`, method: owner[1].methods.get(name)! };
}

const failed = (message: string): string => `Error during execution: ${message}`;

const resultText = (value: PythonValue): string => (isDict(value) && isPlain(value) ? dumps(value) : str(value));

/** Values of the parameters, in order; or Python's TypeError. The order of the checks is CPython's. */
function bind(
  where: string,
  { parameters }: Method,
  positional: readonly PythonValue[],
  named: Call['named'],
): PythonValue[] {
  const values = new Map<string, PythonValue>();
  for (const [i, { name }] of parameters.entries()) if (i < positional.length) values.set(name, positional[i]!);
  for (const [name, value] of named) {
    if (values.has(name) || name === 'self')
      throw new PythonError(`${where}() got multiple values for argument '${name}'`);
    if (!parameters.some((parameter) => parameter.name === name)) {
      throw new PythonError(`${where}() got an unexpected keyword argument '${name}'`);
    }
    values.set(name, value);
  }
  if (positional.length > parameters.length) throw new PythonError(tooMany(where, parameters, positional.length));
  const missing = parameters.filter(({ name, default: value }) => !values.has(name) && value === undefined);
  if (missing.length > 0) {
    const plural = missing.length === 1 ? '' : 's';
    const names = enumerated(missing.map(({ name }) => `'${name}'`));
    throw new PythonError(`${where}() missing ${missing.length} required positional argument${plural}: ${names}`);
  }
  return parameters.map(({ name, default: value }) => (values.has(name) ? values.get(name)! : value!));
}

const enumerated = (names: readonly string[]): string =>
  names.length < 3 ? names.join(' and ') : `${names.slice(0, -1).join(', ')}, and ${names.at(-1)}`;

/** Python counts self. */
function tooMany(where: string, parameters: Method['parameters'], given: number): string {
  const most = parameters.length + 1;
  const least = parameters.filter((parameter) => parameter.default === undefined).length + 1;
  const takes =
    least === most
      ? `${most} positional argument${most === 1 ? '' : 's'}`
      : `from ${least} to ${most} positional arguments`;
  return `${where}() takes ${takes} but ${given + 1} were given`;
}
