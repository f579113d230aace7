// CPython's random.Random: the Mersenne Twister MT19937, seeded from an int.

const N = 624;
const M = 397;

export class PythonRandom {
  readonly #state = new Uint32Array(N);
  #index = N;

  /** A negative seed counts as its absolute value, as in CPython. */
  constructor(seed: number | bigint) {
    let rest = BigInt(seed);
    if (rest < 0n) rest = -rest;
    const key: number[] = [];
    do {
      key.push(Number(rest & 0xffffffffn));
      rest >>= 32n;
    } while (rest > 0n);
    this.#initByArray(key);
  }

  #initGenerator(seed: number): void {
    const s = this.#state;
    s[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = s[i - 1]! ^ (s[i - 1]! >>> 30);
      s[i] = Math.imul(1812433253, before) + i;
    }
  }

  #initByArray(key: readonly number[]): void {
    this.#initGenerator(19650218);
    const s = this.#state;
    let [i, j] = [1, 0];
    const advance = (): void => {
      if (++i >= N) {
        s[0] = s[N - 1]!;
        i = 1;
      }
    };
    for (let k = Math.max(N, key.length); k > 0; k--) {
      s[i] = (s[i]! ^ Math.imul(s[i - 1]! ^ (s[i - 1]! >>> 30), 1664525)) + key[j]! + j;
      advance();
      if (++j >= key.length) j = 0;
    }
    for (let k = N - 1; k > 0; k--) {
      s[i] = (s[i]! ^ Math.imul(s[i - 1]! ^ (s[i - 1]! >>> 30), 1566083941)) - i;
      advance();
    }
    s[0] = 0x80000000;
  }

  #uint32(): number {
    const s = this.#state;
    if (this.#index >= N) {
      for (let k = 0; k < N; k++) {
        const y = (s[k]! & 0x80000000) | (s[(k + 1) % N]! & 0x7fffffff);
        s[k] = s[(k + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.#index = 0;
    }
    let y = s[this.#index++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  /** random(): a float in [0, 1) of 53 bits. */
  random(): number {
    const [a, b] = [this.#uint32() >>> 5, this.#uint32() >>> 6];
    return (a * 67108864 + b) / 9007199254740992;
  }

  /** uniform(a, b) */
  uniform(a: number, b: number): number {
    return a + (b - a) * this.random();
  }

  /** getrandbits(k) */
  bits(k: number): bigint {
    let value = 0n;
    for (let done = 0; done < k; done += 32) {
      const width = Math.min(32, k - done);
      value |= BigInt(this.#uint32() >>> (32 - width)) << BigInt(done);
    }
    return value;
  }

  /** randint(a, b): both ends included. */
  integer(a: number, b: number): number {
    const size = BigInt(b - a + 1);
    const k = size.toString(2).length;
    for (;;) {
      const drawn = this.bits(k);
      if (drawn < size) return a + Number(drawn);
    }
  }
}
