// Byte-pair encoding of one piece of text: the pair with the lowest rank is merged first, the leftmost among equals.
import { UserError } from '../../errors.ts';
import { CHARACTERS, spell } from './byte-alphabet.ts';
import { type Fields, kind } from '../fields.ts';
import { MergeTable, readMerges, readVocabulary } from './vocabulary.ts';

/** Ids of a piece; token i covers `bytes[i]` of its UTF-8 bytes. */
export interface Tokenized {
  readonly ids: Int32Array;
  readonly bytes: Int32Array;
}

/** Keys of the heap are rank * POSITIONS + position. */
const POSITIONS = 2 ** 28;

export class BpeModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  /**
   * Whether text may be cut in front of every run of this character without changing the ids, because no merge has it
   * behind another character. Null where it may not.
   */
  readonly boundary: string | null;
  private readonly byteLevel: boolean;
  private readonly merges: MergeTable;
  private readonly byteIds: Int32Array;
  private readonly characterIds = new Map<number, number>();
  private readonly unknown: number;
  private readonly fuseUnknown: boolean;
  private readonly byteFallback: boolean;
  private readonly ignoreMerges: boolean;
  // Scratch, by position: symbol (-1: merged into an earlier one), bytes, neighbours, handle of the pair with the next.
  private capacity = 0;
  private symbols = new Int32Array(0);
  private bytes = new Int32Array(0);
  private next = new Int32Array(0);
  private previous = new Int32Array(0);
  private pairs = new Int32Array(0);
  private heap = new Float64Array(0);
  private heapSize = 0;
  private length = 0;

  /** `model` of tokenizer.json; `byteLevel`: in bytes. Throws a `UserError` for what is not plain BPE. */
  constructor(model: Fields, byteLevel: boolean) {
    if (model.string('type', 'BPE') !== 'BPE') {
      throw model.error('type', `"${model.string('type')}" is not supported; tokenizers of decoders are BPE`);
    }
    for (const key of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
      if (model.get(key)) throw model.error(key, 'is not supported');
    }
    this.byteLevel = byteLevel;
    this.vocabulary = readVocabulary(model);
    this.fuseUnknown = model.boolean('fuse_unk', false);
    this.byteFallback = model.boolean('byte_fallback', false);
    this.ignoreMerges = model.boolean('ignore_merges', false);
    const unknown = model.has('unk_token') ? model.string('unk_token') : null;
    this.unknown = unknown === null ? -1 : (this.vocabulary.get(unknown) ?? -2);
    if (this.unknown === -2) throw model.error('unk_token', `"${unknown}" is not in the vocabulary`);
    let boundary = !byteLevel && !this.ignoreMerges && this.vocabulary.has('\u2581');
    this.merges = new MergeTable(model.list('merges').length);
    let rank = 0;
    readMerges(model, (left, right) => {
      const token = left + right;
      const [leftId, rightId, id] = [this.vocabulary.get(left), this.vocabulary.get(right), this.vocabulary.get(token)];
      if (leftId === undefined || rightId === undefined || id === undefined) {
        const missing = leftId === undefined ? left : rightId === undefined ? right : token;
        throw new UserError(`${model.at('merges')}[${rank}] needs ${kind(missing)}, which the vocabulary lacks`);
      }
      if (boundary && /[^\u2581]\u2581/.test(token)) boundary = false;
      this.merges.set(leftId, rightId, rank++, id);
    });
    this.boundary = boundary ? '\u2581' : null;
    const byteToken = (byte: number): string =>
      byteLevel ? CHARACTERS[byte]! : `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    this.byteIds = Int32Array.from({ length: 256 }, (_, byte) => this.vocabulary.get(byteToken(byte)) ?? -1);
    for (const [token, id] of byteLevel ? [] : this.vocabulary) {
      const code = token.codePointAt(0);
      if (code !== undefined && token.length === (code > 0xffff ? 2 : 1)) this.characterIds.set(code, id);
    }
  }

  tokenize(piece: string): Tokenized {
    const whole = this.ignoreMerges ? this.vocabulary.get(this.byteLevel ? spell(piece) : piece) : undefined;
    if (whole !== undefined) {
      return { ids: Int32Array.of(whole), bytes: Int32Array.of(Buffer.byteLength(piece, 'utf8')) };
    }
    this.reserve(piece.length * 3 + 1);
    this.length = 0;
    if (this.byteLevel) this.spellBytes(piece);
    else this.spellCharacters(piece);
    this.merge();
    return this.collect();
  }

  private spellBytes(piece: string): void {
    for (const byte of Buffer.from(piece, 'utf8')) {
      const id = this.byteIds[byte]!;
      if (id >= 0) this.push(id, 1);
      else this.pushUnknown(1);
    }
  }

  private spellCharacters(piece: string): void {
    for (const character of piece) {
      const id = this.characterIds.get(character.codePointAt(0)!);
      if (id !== undefined) {
        this.push(id, Buffer.byteLength(character));
        continue;
      }
      const bytes = Buffer.from(character, 'utf8');
      if (this.byteFallback && bytes.every((byte) => this.byteIds[byte]! >= 0)) {
        for (const byte of bytes) this.push(this.byteIds[byte]!, 1);
      } else this.pushUnknown(bytes.length);
    }
  }

  private push(id: number, bytes: number): void {
    this.symbols[this.length] = id;
    this.bytes[this.length++] = bytes;
  }

  private pushUnknown(bytes: number): void {
    if (this.unknown < 0) return;
    const last = this.length - 1;
    if (this.fuseUnknown && last >= 0 && this.symbols[last] === this.unknown) this.bytes[last]! += bytes;
    else this.push(this.unknown, bytes);
  }

  private merge(): void {
    this.heapSize = 0;
    const last = this.length - 1;
    for (let i = 0; i <= last; i++) {
      this.previous[i] = i - 1;
      this.next[i] = i < last ? i + 1 : -1;
    }
    for (let i = 0; i <= last; i++) this.consider(i);
    while (this.heapSize > 0) {
      const key = this.pop();
      const rank = Math.floor(key / POSITIONS);
      const i = key - rank * POSITIONS;
      const pair = this.pairs[i]!;
      // The pair at this position may have changed since it was pushed.
      if (this.symbols[i] === -1 || pair === -1 || this.merges.rankAt(pair) !== rank) continue;
      const right = this.next[i]!;
      this.symbols[i] = this.merges.mergedAt(pair);
      this.bytes[i]! += this.bytes[right]!;
      this.symbols[right] = -1;
      const after = this.next[right]!;
      this.next[i] = after;
      if (after !== -1) this.previous[after] = i;
      this.consider(i);
      if (this.previous[i] !== -1) this.consider(this.previous[i]!);
    }
  }

  /** Looks up the pair that starts at position i. */
  private consider(i: number): void {
    const right = this.next[i]!;
    const pair = right === -1 ? -1 : this.merges.find(this.symbols[i]!, this.symbols[right]!);
    this.pairs[i] = pair;
    if (pair !== -1) this.insert(this.merges.rankAt(pair) * POSITIONS + i);
  }

  private collect(): Tokenized {
    let count = 0;
    for (let i = 0; i < this.length; i++) if (this.symbols[i] !== -1) count++;
    const [ids, bytes] = [new Int32Array(count), new Int32Array(count)];
    let n = 0;
    for (let i = 0; i < this.length; i++) {
      if (this.symbols[i] === -1) continue;
      ids[n] = this.symbols[i]!;
      bytes[n++] = this.bytes[i]!;
    }
    return { ids, bytes };
  }

  private insert(key: number): void {
    const { heap } = this;
    let i = this.heapSize++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = key;
  }

  private pop(): number {
    const { heap } = this;
    const top = heap[0]!;
    const key = heap[--this.heapSize]!;
    const size = this.heapSize;
    let i = 0;
    for (let child = 1; child < size; child = 2 * i + 1) {
      if (child + 1 < size && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= key) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = key;
    return top;
  }

  /** Room for `symbols` positions. A merge adds at most two keys, and there are fewer merges than positions. */
  private reserve(symbols: number): void {
    if (symbols <= this.capacity) return;
    if (symbols >= POSITIONS) throw new UserError(`a piece of ${symbols} bytes is too long to encode`);
    this.capacity = Math.max(symbols, 256, this.capacity * 2);
    const array = (): Int32Array<ArrayBuffer> => new Int32Array(this.capacity);
    [this.symbols, this.bytes, this.next, this.previous, this.pairs] = [array(), array(), array(), array(), array()];
    this.heap = new Float64Array(3 * this.capacity);
  }
}
