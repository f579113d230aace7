// How a model writes calls, and what its messages then say.
import type { Call } from '../python/literal.ts';

/** A call as it was meant; or what is wrong with it, in words for the model. */
export type Wanted = { readonly call: Call } | { readonly problem: string };

/** What an answer says. `none`: it ends in no form that the format knows, and `problem` says so to the model. */
export type Reply =
  | { readonly kind: 'calls'; readonly calls: readonly Wanted[] }
  | { readonly kind: 'finished' }
  | { readonly kind: 'given up' }
  | { readonly kind: 'none'; readonly problem: string };

export interface CallFormat {
  /** Whether models know it from templates that list functions: where the template can, it lists them. */
  readonly inTemplate: boolean;
  /** What a model is told: the functions, one per line, and how to call them. */
  instructions(functions: string): string;
  /** The same where the chat template lists the functions itself; empty where that says it all. */
  readonly besideTemplate: string;
  /** Texts that end an answer. */
  readonly stops: readonly string[];
  /** Never throws for what an answer says. */
  read(answer: string): Reply;
  /** Calls as a model should write them. */
  write(calls: readonly Call[]): string;
  /** Results as a message of the user has them. */
  results(results: readonly string[]): string;
  /** The role of a message with one result, in a template that lists the functions itself. */
  readonly resultRole: 'tool' | 'ipython';
}

/** Ends a request that has been fulfilled; the next one follows. */
export const FINISHED = '<TASK_FINISHED>';
/** Ends the whole task: it cannot be done. */
export const GIVEN_UP = '<TASK_ERROR>';

export const ENDINGS =
  `When nothing is left to do for the request, answer ${FINISHED}. ` +
  `If it cannot be done with these functions, answer ${GIVEN_UP}.`;

/** Which of the two words comes first in a text, and where; null where there is none. */
export function endingIn(text: string): { readonly at: number; readonly reply: Reply } | null {
  const places = [
    { at: text.indexOf(FINISHED), reply: { kind: 'finished' } as const },
    { at: text.indexOf(GIVEN_UP), reply: { kind: 'given up' } as const },
  ];
  const [first] = places.filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at);
  return first ?? null;
}

/** Calls of one answer that are run, at most (BFCL's limit of steps). */
const MOST_CALLS = 20;

/** As a reply; a problem in place of calls that are too many. */
export function callsReply(calls: readonly Wanted[]): Reply {
  if (calls.length <= MOST_CALLS) return { kind: 'calls', calls };
  const problem = `only the first ${MOST_CALLS} calls of an answer are run`;
  return { kind: 'calls', calls: [...calls.slice(0, MOST_CALLS), { problem }] };
}
