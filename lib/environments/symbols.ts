// Answers of environments of tokens as people and other programs write them: the symbols that the environment shows.
import type { Environment } from './environment.ts';

/** Every symbol with its token. */
export function symbolsOf(environment: Pick<Environment, 'vocabularySize' | 'show'>): Map<string, number> {
  const tokens = Array.from({ length: environment.vocabularySize }, (_, token) => token);
  return new Map(tokens.map((token) => [environment.show(Int32Array.of(token)).trim(), token]));
}

/** The symbols of a text, separated by spaces, as tokens. `unknown` says what becomes of one that is none. */
export const readSymbols = (
  text: string,
  symbols: ReadonlyMap<string, number>,
  unknown: (symbol: string) => number,
): Int32Array =>
  text.trim() === ''
    ? new Int32Array(0)
    : Int32Array.from(text.trim().split(/\s+/), (symbol) => symbols.get(symbol) ?? unknown(symbol));
