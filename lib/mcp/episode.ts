// An episode with a tool server: the answers of a model, the calls in them, what the server gives back.
import type { FunctionDocument } from '../tools/bfcl/functions.ts';
import type { CallFormat, Reply } from '../tools/formats/format.ts';
import { callsMade, toolCall, type ToolCall } from './calls.ts';
import { type ToolConnection, ToolServerError } from './connection.ts';
import type { McpTask } from './tasks.ts';

/** An answer that stands, and the feedback on it. */
export interface Past {
  readonly text: string;
  readonly feedback: string;
}

export interface Tools {
  readonly format: CallFormat;
  readonly documents: readonly FunctionDocument[];
}

/** What the server gave back for an answer, or what is wrong with it. */
export async function resultsOf(
  connection: ToolConnection,
  answer: string,
  { format, documents }: Tools,
): Promise<string> {
  const reply = format.read(answer);
  if (reply.kind === 'none') return `Error: ${reply.problem}`;
  const results: string[] = [];
  for (const call of callsIn(reply, documents)) {
    results.push('problem' in call ? `Error: ${call.problem}` : await connection.call(call.name, call.arguments));
  }
  return results.join('\n');
}

/** Makes the calls of earlier answers again. Throws where a result is another one than it was. */
export async function replay(
  connection: ToolConnection,
  history: readonly Past[],
  tools: Tools,
  stored: (feedback: string) => string,
): Promise<void> {
  for (const [turn, { text, feedback }] of history.entries()) {
    if (stored(await resultsOf(connection, text, tools)) === feedback) continue;
    throw new ToolServerError(
      `the calls of answer ${turn + 1} gave other results than when they were first made; episodes can only be gone on with where ` +
        'the same calls to a fresh server always give the same results',
    );
  }
}

/** In [0, 1]: the least of what the check's parts give. `answers`: all of the episode. */
export async function qualityOf(
  connection: ToolConnection,
  { check }: McpTask,
  answers: readonly string[],
  { format, documents }: Tools,
): Promise<number> {
  const parts: number[] = [];
  const replies = answers.map((answer) => format.read(answer));
  if (check.calls !== undefined) {
    const made = replies.flatMap((reply) => madeIn(reply, documents));
    parts.push(callsMade(made, check.calls) / check.calls.length);
  }
  if (check.answer !== undefined) {
    const matches = replies.at(-1)!.kind === 'finished' && new RegExp(check.answer).test(answers.at(-1)!);
    parts.push(matches ? 1 : 0);
  }
  if (check.result !== undefined) {
    const { name, arguments: given, matches } = check.result;
    parts.push(new RegExp(matches).test(await connection.call(name, given)) ? 1 : 0);
  }
  return Math.min(...parts);
}

/** The calls of an answer that could be read. */
export const madeIn = (reply: Reply, documents: readonly FunctionDocument[]): ToolCall[] =>
  callsIn(reply, documents).filter((call): call is ToolCall => !('problem' in call));

export function callsIn(
  reply: Reply,
  documents: readonly FunctionDocument[],
): (ToolCall | { readonly problem: string })[] {
  if (reply.kind !== 'calls') return [];
  return reply.calls.map((wanted) => ('problem' in wanted ? wanted : toolCall(wanted.call, documents)));
}
