// What a simulated API is: methods in a table, a state that can be compared.
import type { PythonDict, PythonValue } from './python/value.ts';

export interface Parameter {
  readonly name: string;
  /** Absent: the argument must be given. */
  readonly default?: PythonValue;
}

/** A method: its parameters in order, and what it does with their values (in the same order). */
export interface Method {
  readonly parameters: readonly Parameter[];
  run(...values: PythonValue[]): PythonValue;
}

/** An exception that Python would raise: the text of its message. */
export class PythonError extends Error {
  override readonly name: string = 'PythonError';
}

/** A TypeError, which the reference sometimes catches. */
export class PythonTypeError extends PythonError {}

export interface Clock {
  /** Now, in milliseconds since 1970. */
  now(): number;
}

/** One simulated API with a state of its own. */
export interface Simulator {
  readonly methods: ReadonlyMap<string, Method>;
  /** Sets the state from a task's initial configuration; what is not given has its default. */
  load(config: PythonDict, longContext?: boolean): void;
  /** Every public attribute, as the reference's objects have them. */
  state(): PythonDict;
}

export type SimulatorType = new (clock: Clock) => Simulator;
