// Answers that are nearly right, to be put right.
import type { Random } from '../../rng.ts';

/** The text with one of its letters or digits changed. */
export function slipped(text: string, random: Random): string {
  const places = Array.from(text.matchAll(/[a-z0-9]/gi), ({ index }) => index);
  const at = random.pick(places);
  const letters = /\d/.test(text[at]!) ? '0123456789' : 'abcdefghijklmnopqrstuvwxyz';
  const other = random.pick([...letters].filter((c) => c !== text[at]));
  return text.slice(0, at) + other + text.slice(at + 1);
}
