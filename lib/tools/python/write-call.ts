import type { Call } from './literal.ts';
import { repr } from './print.ts';

/** A call as Python writes it: `f(1, a='x')`. `parseCall` reads it back. */
export function writeCall({ name, positional, named }: Call): string {
  return `${name}(${[...positional.map(repr), ...named.map(([key, value]) => `${key}=${repr(value)}`)].join(', ')})`;
}
