// `added_tokens` of tokenizer.json: tokens that are found in text before anything else happens to it.
import { UserError } from '../../errors.ts';
import type { Fields } from '../fields.ts';
import type { Normalizer } from './normalizer.ts';
import { LARGEST_ID } from './vocabulary.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Not recognised inside of words. */
  readonly singleWord: boolean;
  /** White space before or behind it belongs to it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in normalised text. */
  readonly normalized: boolean;
  /** Marks structure, is no text: left out by `decode(..., { skipSpecialTokens: true })`. */
  readonly special: boolean;
}

export function readAddedToken(fields: Fields, id: number): AddedToken {
  const special = fields.boolean('special', false);
  return {
    id,
    content: fields.string('content'),
    singleWord: fields.boolean('single_word', false),
    lstrip: fields.boolean('lstrip', false),
    rstrip: fields.boolean('rstrip', false),
    normalized: fields.boolean('normalized', !special),
    special,
  };
}

export const readAddedTokens = (file: Fields): AddedToken[] =>
  file.objects('added_tokens').map((fields) => readAddedToken(fields, fields.count('id', LARGEST_ID)));

/** A stretch of text: an added token, or what lies between them (null). */
export interface Section {
  readonly token: AddedToken | null;
  readonly start: number;
  readonly end: number;
}

interface Node {
  readonly children: Map<number, Node>;
  token: AddedToken | null;
}

const WORD = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const SPACE = /\p{White_Space}/u;
const ENDS_WITH_WORD = new RegExp(`${WORD}$`, 'u');
const STARTS_WITH_WORD = new RegExp(`^${WORD}`, 'u');

/** Finds added tokens: the leftmost first, the longest of those that start there. */
export class AddedTokenMatcher {
  private readonly root: Node = { children: new Map(), token: null };
  /** By UTF-16 code unit: whether a token starts with it. */
  private readonly starts = new Uint8Array(65536);

  /** `normalize`: what the text went through in which tokens are looked for. */
  constructor(tokens: readonly AddedToken[], normalize: Normalizer = (text) => text) {
    for (const token of tokens) {
      const content = normalize(token.content);
      if (content === '') continue;
      let node = this.root;
      for (let i = 0; i < content.length; i++) {
        const unit = content.charCodeAt(i);
        const child: Node = node.children.get(unit) ?? { children: new Map(), token: null };
        node.children.set(unit, child);
        node = child;
      }
      node.token = token;
      this.starts[content.charCodeAt(0)] = 1;
    }
  }

  /** The end of the longest token that starts at `start`, and the token; or null. */
  matchAt(text: string, start: number): { token: AddedToken; end: number } | null {
    if (this.starts[text.charCodeAt(start)] !== 1) return null;
    let match: { token: AddedToken; end: number } | null = null;
    let node: Node | undefined = this.root;
    for (let i = start; i <= text.length; i++) {
      if (node.token !== null) match = { token: node.token, end: i };
      node = node.children.get(text.charCodeAt(i));
      if (node === undefined) break;
    }
    return match;
  }

  /** Cuts text into sections that cover it. A token is passed over, as a whole, where `accept` says no. */
  split(text: string, accept: (token: AddedToken, start: number, end: number) => boolean): Section[] {
    const sections: Section[] = [];
    let covered = 0;
    for (let i = 0; i < text.length; i++) {
      const match = this.matchAt(text, i);
      if (match === null) continue;
      const { token } = match;
      let [start, end] = [i, match.end];
      i = end - 1;
      if (!accept(token, start, end)) continue;
      if (token.singleWord && isInsideWord(text, start, end)) continue;
      while (token.lstrip && start > covered && SPACE.test(text[start - 1]!)) start--;
      while (token.rstrip && end < text.length && SPACE.test(text[end]!)) end++;
      if (start > covered) sections.push({ token: null, start: covered, end: start });
      sections.push({ token, start, end });
      covered = end;
      i = Math.max(i, end - 1);
    }
    if (covered < text.length || sections.length === 0)
      sections.push({ token: null, start: covered, end: text.length });
    return sections;
  }
}

function isInsideWord(text: string, start: number, end: number): boolean {
  return (
    ENDS_WITH_WORD.test(text.slice(Math.max(0, start - 2), start)) || STARTS_WITH_WORD.test(text.slice(end, end + 2))
  );
}

/** Id -> token. Complains where two tokens claim one id, or a token of the vocabulary has another id. */
export function nameTokens(
  vocabulary: ReadonlyMap<string, number>,
  added: readonly AddedToken[],
  where: string,
): (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (const [token, id] of vocabulary) names[id] = token;
  for (const { id, content } of added) {
    const known = vocabulary.get(content) ?? id;
    const owner = names[id] ?? content;
    if (known !== id) throw new UserError(`${where}: ${quote(content)} has id ${id} and, in the vocabulary, ${known}`);
    if (owner !== content)
      throw new UserError(`${where}: ${quote(content)} and ${quote(owner)} have the same id ${id}`);
    names[id] = content;
  }
  return Array.from(names);
}

const quote = (text: string): string => JSON.stringify(text);
