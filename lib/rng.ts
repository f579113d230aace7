// Counter-based random numbers, the same Philox4x32-10 as native/core/rng.h. Every draw of a run is keyed by
// (seed, what it is for, step), so nothing has to be saved for a resumed run to draw the same numbers.

const multiplyHigh = (a: number, b: number): number => {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  return (a1 * b1 + Math.floor((a0 * b1 + middle) / 0x10000)) >>> 0;
};

type Four = [number, number, number, number];

/** Ten rounds of Philox4x32 on a 128-bit counter and a 64-bit key, low words first. */
export function philox(counter: Readonly<Four>, key0: number, key1: number): Four {
  let [c0, c1, c2, c3] = counter;
  let k0 = key0 >>> 0;
  let k1 = key1 >>> 0;
  for (let round = 0; round < 10; round++) {
    const h0 = multiplyHigh(0xd2511f53, c0);
    const l0 = Math.imul(0xd2511f53, c0) >>> 0;
    const h1 = multiplyHigh(0xcd9e8d57, c2);
    const l1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    [c0, c1, c2, c3] = [(h1 ^ c1 ^ k0) >>> 0, l1, (h0 ^ c3 ^ k1) >>> 0, l0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

const low = (value: number): number => value >>> 0;
const high = (value: number): number => Math.floor(value / 0x1_0000_0000) >>> 0;

function textHash(text: string): number {
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** 64 bits (two words) that depend on the seed and on every item of the path. */
function fold(seed: number, path: readonly (string | number)[]): [number, number] {
  let state: [number, number] = [0, path.length];
  for (const item of path) {
    const words: [number, number] = typeof item === 'string' ? [textHash(item), 1] : [low(item), high(item)];
    const mixed = philox([words[0], words[1], state[0], state[1]], low(seed), high(seed));
    state = [mixed[0], mixed[1]];
  }
  return state;
}

/** A 53-bit seed for one purpose, for generators outside of this file. */
export function deriveSeed(seed: number, ...path: (string | number)[]): number {
  const [first, second] = fold(seed, path);
  return (second & 0x1fffff) * 0x1_0000_0000 + first;
}

/**
 * A stream of random numbers for one purpose.
 *
 * @example new Random(config.seed, 'curriculum', step).uniform()
 */
export class Random {
  readonly #key: [number, number];
  readonly #sequence: [number, number];
  #position = 0;
  #block: Four = [0, 0, 0, 0];

  constructor(seed: number, ...path: (string | number)[]) {
    this.#key = [low(seed), high(seed)];
    this.#sequence = fold(seed, path);
  }

  /** Uniform over the 2^32 integers. */
  uint32(): number {
    const lane = this.#position % 4;
    if (lane === 0) {
      const index = this.#position / 4;
      this.#block = philox([low(index), high(index), ...this.#sequence], ...this.#key);
    }
    this.#position++;
    return this.#block[lane]!;
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniform(): number {
    const first = this.uint32();
    const second = this.uint32();
    return ((first >>> 5) * 0x400_0000 + (second >>> 6)) / 0x20_0000_0000_0000;
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  /** One item, each equally likely. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** The items in random order, every order equally likely. */
  shuffled<T>(items: readonly T[]): T[] {
    const order = [...items];
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return order;
  }
}
