// What has been trained on so far: different instances, and different start points.
import type { Task } from '../types.ts';
import { DistinctCount } from './distinct.ts';

/** Hashes, ascending; see DistinctCount. */
export interface CoverageState {
  readonly instances: Float64Array;
  readonly starts: Float64Array;
}

export class Coverage {
  readonly #instances = new DistinctCount();
  readonly #starts = new DistinctCount();

  /** Different instances. */
  get instances(): number {
    return this.#instances.count;
  }

  /** Different start points: an instance, the answers that stand from earlier turns, the answer to improve if there is one. */
  get starts(): number {
    return this.#starts.count;
  }

  add({ instance, history, previous }: Task): void {
    const hash = new Hash();
    hash.add(instance);
    this.#instances.add(hash.value);
    for (const { tokens } of history) hash.addList(tokens);
    hash.add(history.length);
    if (previous !== null) hash.addList(previous.tokens);
    this.#starts.add(hash.value);
  }

  save(): CoverageState {
    return { instances: this.#instances.save(), starts: this.#starts.save() };
  }

  /** Into one that has seen nothing yet. */
  restore({ instances, starts }: CoverageState): void {
    for (const hash of instances) this.#instances.add(hash);
    for (const hash of starts) this.#starts.add(hash);
  }
}

/** 53 bits that depend on every number added: two chains of multiplications by odd constants, mixed at the end. */
class Hash {
  #a = 0x243f6a88;
  #b = 0x85a308d3;

  add(number: number): void {
    this.#a = Math.imul(this.#a ^ number, 0x9e3779b1);
    this.#a ^= this.#a >>> 15;
    this.#b = Math.imul(this.#b ^ number, 0x85ebca77);
    this.#b ^= this.#b >>> 13;
  }

  /** The end is part of the list: [1], [2] is not [1, 2]. */
  addList(numbers: Int32Array): void {
    for (const number of numbers) this.add(number);
    this.add(~numbers.length);
  }

  get value(): number {
    const high = Math.imul(this.#a ^ (this.#a >>> 16) ^ (this.#b << 7), 0xc2b2ae3d);
    const low = Math.imul(this.#b ^ (this.#b >>> 16) ^ high, 0x27d4eb2f);
    return ((high ^ (high >>> 15)) & 0x1fffff) * 0x1_0000_0000 + ((low ^ (low >>> 16)) >>> 0);
  }
}
