// How environments in words meet a model of tokens.
import type { Message } from '../../text/messages.ts';

/** Words to tokens and back, as one model has it. The text of a special token in a message stays text. */
export interface TextCodec {
  /** Token ids are 0 .. vocabularySize - 1. */
  readonly vocabularySize: number;
  /** Tokens that end an answer. */
  readonly stopTokens: readonly number[];
  /** Whether the chat template lists the tools that it is given. */
  readonly listsTools: boolean;
  /** The conversation in the model's chat template, up to where its next answer begins; `tools`: JSON schemas of functions. */
  prompt(messages: readonly Message[], tools?: readonly unknown[] | null): Int32Array;
  /** An answer as the model would write it, with the token that ends it. */
  answer(text: string): Int32Array;
  /** Plain text, without anything around it. */
  encode(text: string): Int32Array;
  /** Token sequences that most often end with this text: spelled on its own, and behind a few characters that come before it. */
  endings(text: string): readonly (readonly number[])[];
  /** Text of tokens, special ones left out. */
  decode(tokens: Int32Array): string;
}
