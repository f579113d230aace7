// One of our environments as a server shows it: conversations and answers in words, whatever its own symbols are.
import type { Environment } from '../environments/environment.ts';
import { readSymbols, symbolsOf } from '../environments/symbols.ts';
import type { TextCodec } from '../environments/text/codec.ts';
import { TextEnvironment } from '../environments/text/text-environment.ts';
import type { Message } from '../text/messages.ts';
import type { Attempt } from '../types.ts';

export interface ServedTasks {
  readonly environment: Environment;
  /** The conversation that asks for the next answer. */
  messages(instance: unknown, history: readonly Attempt[]): readonly Message[];
  /** An answer in the tokens of the environment. */
  read(text: string): Int32Array;
}

/** Stands for a symbol that the environment does not have. No answer is valid with it. */
const NO_SYMBOL = 0;

/** `codec`: of an environment in words; null for one of symbols. */
export function servedTasks(environment: Environment, codec: TextCodec | null): ServedTasks {
  if (codec !== null && environment instanceof TextEnvironment) {
    return {
      environment,
      messages: (instance, history) => environment.messages(instance, 'base', null, history),
      read: (text) => codec.answer(text),
    };
  }
  const symbols = symbolsOf(environment);
  return {
    environment,
    messages: (instance, history) => [
      { role: 'user', content: environment.show(environment.prompt(instance, 'base', null, history)) },
    ],
    read: (text) => readSymbols(text, symbols, () => NO_SYMBOL),
  };
}
