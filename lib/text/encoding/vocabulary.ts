// The vocabulary and the merges of a BPE model, checked.
import { UserError } from '../../errors.ts';
import { type Fields, kind } from '../fields.ts';

/** Ids above this are taken for a damaged file. */
export const LARGEST_ID = (1 << 22) - 1;

/** Token -> id. */
export function readVocabulary(model: Fields): Map<string, number> {
  const vocabulary = new Map<string, number>();
  const entries = model.object('vocab');
  if (entries === null) throw model.error('vocab', 'is missing');
  const owners: (string | undefined)[] = [];
  for (const [token, value] of Object.entries(entries.all())) {
    const id = Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LARGEST_ID ? Number(value) : -1;
    if (id < 0) throw entries.error(token, `must be an id from 0 to ${LARGEST_ID}, not ${kind(value)}`);
    const owner = owners[id];
    if (owner !== undefined) {
      throw model.error('vocab', `gives ${JSON.stringify(owner)} and ${JSON.stringify(token)} the same id ${id}`);
    }
    owners[id] = token;
    vocabulary.set(token, id);
  }
  return vocabulary;
}

/**
 * For pairs of ids: how early they are merged, and into what. Open addressing: a Map keyed by one number per pair takes
 * three times as long.
 */
export class MergeTable {
  private readonly left: Int32Array;
  private readonly right: Int32Array;
  private readonly rank: Int32Array;
  private readonly merged: Int32Array;
  private readonly mask: number;

  constructor(pairs: number) {
    const size = 1 << Math.max(4, 32 - Math.clz32(pairs * 2));
    this.mask = size - 1;
    this.left = new Int32Array(size).fill(-1);
    this.right = new Int32Array(size);
    this.rank = new Int32Array(size);
    this.merged = new Int32Array(size);
  }

  set(left: number, right: number, rank: number, merged: number): void {
    const slot = this.slot(left, right);
    this.left[slot] = left;
    this.right[slot] = right;
    this.rank[slot] = rank;
    this.merged[slot] = merged;
  }

  /** A handle for `rankAt` and `mergedAt`, or -1 where the pair is not merged. */
  find(left: number, right: number): number {
    const slot = this.slot(left, right);
    return this.left[slot] === -1 ? -1 : slot;
  }

  rankAt(slot: number): number {
    return this.rank[slot]!;
  }

  mergedAt(slot: number): number {
    return this.merged[slot]!;
  }

  private slot(left: number, right: number): number {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    let slot = hash & this.mask;
    while (this.left[slot] !== -1 && (this.left[slot] !== left || this.right[slot] !== right)) {
      slot = (slot + 1) & this.mask;
    }
    return slot;
  }
}

/** Calls `use` for every merge, in order of priority. A merge is a pair, or in older files text with one space. */
export function readMerges(model: Fields, use: (left: string, right: string) => void): number {
  const merges = model.list('merges');
  for (const [i, merge] of merges.entries()) {
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
      throw new UserError(`${model.at('merges')}[${i}] must be two tokens, not ${kind(merge)}`);
    }
    use(pair[0], pair[1]);
  }
  return merges.length;
}
