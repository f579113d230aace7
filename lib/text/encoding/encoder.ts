// Text to ids: added tokens are found, what lies between is normalised, cut into pieces, and each piece is merged.
import { type AddedToken, AddedTokenMatcher, type Section } from './added-tokens.ts';
import type { BpeModel } from './bpe.ts';
import type { Normalizer } from './normalizer.ts';
import type { PreTokenizer } from './pre-tokenizer.ts';
import { TokenList } from './token-list.ts';

/** A position in the text, in UTF-16 code units, whose place among the tokens is wanted. */
export interface Mark {
  readonly at: number;
  /** Where a token lies across the position: its index (false) or that of the next (true). */
  readonly up: boolean;
  /** Filled in: the index of the first token behind the position. */
  token: number;
}

export interface EncodeRequest {
  readonly allowSpecial: boolean;
  /** Positions of characters that no special token may have. */
  readonly guards: readonly number[];
  readonly marks: readonly Mark[];
  /** Whether the text begins a sequence: some tokenizers put a space before the first word. */
  readonly first: boolean;
}

/** Pieces remembered; words come back, and a look-up takes a tenth of merging. */
const CACHED_PIECES = 1 << 16;
/** V8 makes a substring of this length a view that keeps the whole text alive. */
const VIEW_LENGTH = 13;

export class Encoder {
  private readonly normalize: Normalizer;
  private readonly preTokenizer: PreTokenizer;
  private readonly model: BpeModel;
  private readonly rawTokens: AddedTokenMatcher;
  private readonly normalizedTokens: AddedTokenMatcher;
  private readonly boundary: RegExp | null;
  private cache = new Map<string, Int32Array>();

  constructor(normalize: Normalizer, preTokenizer: PreTokenizer, model: BpeModel, added: readonly AddedToken[]) {
    this.normalize = normalize;
    this.preTokenizer = preTokenizer;
    this.model = model;
    this.rawTokens = new AddedTokenMatcher(added.filter(({ normalized }) => !normalized));
    this.normalizedTokens = new AddedTokenMatcher(
      added.filter(({ normalized }) => normalized),
      normalize,
    );
    const { boundary } = model;
    this.boundary = boundary === null ? null : new RegExp(`${boundary}*[^${boundary}]+|${boundary}+`, 'g');
  }

  encode(text: string, request: EncodeRequest): Int32Array {
    const out = new TokenList();
    const sections = this.rawTokens.split(text, accepts(request.allowSpecial, request.guards));
    walk(sections, request.marks, text.length, out, (start, end, marks) => {
      const section = text.slice(start, end);
      const guards = request.guards.filter((at) => at >= start && at < end).map((at) => at - start);
      this.encodeSection(section, { ...request, guards, marks, first: request.first && start === 0 }, out);
    });
    return out.take();
  }

  private encodeSection(text: string, request: EncodeRequest, out: TokenList): void {
    const normalized = this.normalize(text);
    const moved = (at: number, up: boolean): number => movedPosition(text, normalized, this.normalize, at, up);
    const marks = request.marks.map(({ at, up }) => ({ at: moved(at, up), up, token: 0 }));
    const guards = request.guards.map((at) => moved(at, false));
    const sections = this.normalizedTokens.split(normalized, accepts(request.allowSpecial, guards));
    walk(sections, marks, normalized.length, out, (start, end, inner) => {
      this.encodePlain(normalized.slice(start, end), request.first && start === 0, inner, out);
    });
    for (const [i, mark] of request.marks.entries()) mark.token = marks[i]!.token;
  }

  private encodePlain(text: string, first: boolean, marks: readonly Mark[], out: TokenList): void {
    if (text === '') return;
    const prefixed = this.preTokenizer.prefix(text, first);
    let pieces = this.preTokenizer.split(prefixed);
    if (this.boundary !== null) pieces = pieces.flatMap((piece) => piece.match(this.boundary!) ?? []);
    if (marks.length > 0) this.encodeMarked(prefixed, pieces, prefixed.length - text.length, marks, out);
    else for (const piece of pieces) out.append(this.pieceIds(piece));
  }

  private encodeMarked(
    text: string,
    pieces: readonly string[],
    shift: number,
    marks: readonly Mark[],
    out: TokenList,
  ): void {
    let waiting = marks;
    let end = 0;
    for (const piece of pieces) {
      const start = text.indexOf(piece, end);
      end = start + piece.length;
      const reached = waiting.filter(({ at }) => at + shift < end);
      waiting = waiting.filter(({ at }) => at + shift >= end);
      for (const mark of reached) {
        const inside = Math.max(0, mark.at + shift - start);
        mark.token = out.length + this.tokensBefore(piece, inside, mark.up);
      }
      out.append(this.pieceIds(piece));
    }
    for (const mark of waiting) mark.token = out.length;
  }

  /** Tokens of a piece before its code unit `at`. */
  private tokensBefore(piece: string, at: number, up: boolean): number {
    if (at === 0) return 0;
    const bytes = Buffer.byteLength(piece.slice(0, at), 'utf8');
    let covered = 0;
    let count = 0;
    for (const length of this.model.tokenize(piece).bytes) {
      if (covered + length > bytes) return covered < bytes && up ? count + 1 : count;
      covered += length;
      count++;
    }
    return count;
  }

  private pieceIds(piece: string): Int32Array {
    const known = this.cache.get(piece);
    if (known !== undefined) return known;
    const { ids } = this.model.tokenize(piece);
    if (piece.length > 256) return ids;
    if (this.cache.size >= CACHED_PIECES) this.cache = new Map();
    this.cache.set(piece.length < VIEW_LENGTH ? piece : Buffer.from(piece, 'utf16le').toString('utf16le'), ids);
    return ids;
  }
}

function accepts(allowSpecial: boolean, guards: readonly number[]) {
  return (token: AddedToken, start: number, end: number): boolean =>
    !token.special || (allowSpecial && !guards.some((at) => at >= start && at < end));
}

/** Goes through sections in order, filling in the marks at their borders and inside added tokens. */
function walk(
  sections: readonly Section[],
  marks: readonly Mark[],
  length: number,
  out: TokenList,
  plain: (start: number, end: number, marks: readonly Mark[]) => void,
): void {
  for (const { token, start, end } of sections) {
    const here = marks.filter(({ at }) => at >= start && at < end);
    for (const mark of here) mark.token = out.length + (mark.at > start && mark.up ? 1 : 0);
    if (token !== null) out.push(token.id);
    else {
      const inner = here.filter(({ at }) => at > start).map(({ at, up }) => ({ at: at - start, up, token: 0 }));
      plain(start, end, inner);
      for (const [i, mark] of here.filter(({ at }) => at > start).entries()) mark.token = inner[i]!.token;
    }
  }
  for (const mark of marks) if (mark.at >= length) mark.token = out.length;
}

/** Where a position of `text` is in `normalized`; to the left or right of what normalisation makes one of. */
function movedPosition(text: string, normalized: string, normalize: Normalizer, at: number, up: boolean): number {
  if (normalized === text) return at;
  for (let near = at; near > 0 && near < text.length; near += up ? 1 : -1) {
    const before = normalize(text.slice(0, near));
    if (normalized.startsWith(before)) return before.length;
  }
  return up ? normalized.length : 0;
}
