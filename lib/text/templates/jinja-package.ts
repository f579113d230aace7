// Typed face of @huggingface/jinja: its own declarations do not compile with "nodenext".
import { createRequire } from 'node:module';

/** A value inside a template. */
export interface RuntimeValue {
  readonly type: string;
  /** Of a ...Value: text, number, boolean, null, undefined, RuntimeValue[], Map<string, RuntimeValue> or a function. */
  readonly value: unknown;
}

/** A node of a parsed template. */
export interface SyntaxNode {
  readonly type: string;
  readonly [member: string]: unknown;
}

/** The variables of a template. */
export interface Scope {
  /** Declares a variable from a JavaScript value, and gives the runtime value that was made of it. */
  set(name: string, value: unknown): RuntimeValue;
  setVariable(name: string, value: RuntimeValue): RuntimeValue;
}

interface Package {
  readonly Environment: new () => Scope;
  readonly Interpreter: new (scope: Scope) => { run(program: SyntaxNode): RuntimeValue };
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown;
  parse(tokens: unknown): SyntaxNode;
}

export const { Environment, Interpreter, tokenize, parse } = createRequire(import.meta.url)(
  '@huggingface/jinja',
) as Package;

const statement: object = Object.getPrototypeOf(parse(tokenize('', { lstrip_blocks: true, trim_blocks: true })));

/** A node that the package takes for one of its own. */
export function syntaxNode(members: SyntaxNode): SyntaxNode {
  return Object.assign(Object.create(statement), members) as SyntaxNode;
}

type Constructor<Value> = new (value: Value) => RuntimeValue;

/** The class of the runtime value made of a JavaScript value; the package does not export these classes. */
function classOf<Value>(sample: unknown): Constructor<Value> {
  return new Environment().set('sample', sample).constructor as Constructor<Value>;
}

export const StringValue: Constructor<string> = classOf('');
export const IntegerValue: Constructor<number | bigint> = classOf(0);
export const FloatValue: Constructor<number> = classOf(0.5);
export const BooleanValue: Constructor<boolean> = classOf(true);
export const NullValue: Constructor<null> = classOf(null);
export const UndefinedValue: Constructor<undefined> = classOf(undefined);
export const ArrayValue: Constructor<readonly RuntimeValue[]> = classOf([]);
export const ObjectValue: Constructor<ReadonlyMap<string, RuntimeValue>> = classOf({});
export const FunctionValue: Constructor<(args: readonly RuntimeValue[]) => RuntimeValue> = classOf(() => null);
