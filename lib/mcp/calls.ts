// Calls as a model writes them, as a server takes them: arguments by name, plain JSON.
import type { FunctionDocument } from '../tools/bfcl/functions.ts';
import type { Call } from '../tools/python/literal.ts';
import { dumps } from '../tools/python/print.ts';
import { fromJson, type PythonValue } from '../tools/python/value.ts';
import type { ExpectedCall } from './tasks.ts';

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A call; or what is wrong with it. Arguments without names are those of the tool's schema, in order. */
export function toolCall(
  { name, positional, named }: Call,
  tools: readonly FunctionDocument[],
): ToolCall | { readonly problem: string } {
  const tool = tools.find((candidate) => candidate.name === name);
  const names = Object.keys(tool?.parameters.properties ?? {});
  if (positional.length > names.length) return { problem: `${name} has no ${positional.length} arguments` };
  try {
    const pairs = [...positional.map((value, i) => [names[i]!, plain(value)] as const), ...named.map(plainPair)];
    return { name, arguments: Object.fromEntries(pairs) };
  } catch (error) {
    return { problem: `the arguments of ${name} cannot be written as JSON: ${(error as Error).message}` };
  }
}

/** A call as models write it. */
export const written = ({ name, arguments: given }: ExpectedCall): Call => ({
  name,
  positional: [],
  named: Object.entries(given).map(([argument, value]) => [argument, fromJson(value)]),
});

const plain = (value: PythonValue): unknown => JSON.parse(dumps(value));
const plainPair = ([argument, value]: readonly [string, PythonValue]) => [argument, plain(value)] as const;

/** How many of the expected calls were made, in their order. */
export function callsMade(made: readonly ToolCall[], expected: readonly ExpectedCall[]): number {
  let count = 0;
  for (const call of made) if (count < expected.length && fits(call, expected[count]!)) count++;
  return count;
}

const fits = (made: ToolCall, { name, arguments: wanted }: ExpectedCall): boolean =>
  made.name === name &&
  Object.entries(wanted).every(([argument, value]) => canonical(made.arguments[argument]) === canonical(value));

/** Equal for equal values, whatever the order of members. */
function canonical(value: unknown): string | undefined {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}
