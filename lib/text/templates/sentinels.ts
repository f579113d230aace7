// Characters that stand for positions while a template is rendered. They are Unicode noncharacters, which text that is
// interchanged does not have, and of those only such as the template and its input lack.
import { UserError } from '../../errors.ts';

/** `count` characters that none of the texts has. */
export function freeCharacters(texts: readonly string[], count: number): string[] {
  const free: string[] = [];
  for (let code = 0xfdd0; code <= 0xfdef && free.length < count; code++) {
    const character = String.fromCharCode(code);
    if (!texts.some((text) => text.includes(character))) free.push(character);
  }
  if (free.length < count) throw new UserError('the messages use nearly all of the noncharacters U+FDD0 to U+FDEF');
  return free;
}

/** Text without the sentinels, and for each of them the positions, in that text, where it was. */
export function extract(text: string, sentinels: readonly string[]): { text: string; positions: number[][] } {
  const positions: number[][] = sentinels.map(() => []);
  let out = '';
  let end = 0;
  for (const { 0: character, index } of text.matchAll(new RegExp(`[${sentinels.join('')}]`, 'g'))) {
    out += text.slice(end, index);
    positions[sentinels.indexOf(character)]!.push(out.length);
    end = index + 1;
  }
  return { text: out + text.slice(end), positions };
}
