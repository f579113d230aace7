// What the supervised stage imitates.

/** Tokens, and which of them are trained on (1) or only read (0). The first token cannot be trained on. */
export interface Example {
  readonly tokens: Int32Array;
  readonly mask: Uint8Array;
}

/** A prompt that is read and an answer that is imitated. */
export function promptAndAnswer(prompt: Int32Array, answer: Int32Array): Example {
  const tokens = new Int32Array(prompt.length + answer.length);
  tokens.set(prompt);
  tokens.set(answer, prompt.length);
  return { tokens, mask: new Uint8Array(tokens.length).fill(1, prompt.length) };
}
