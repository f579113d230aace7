// Comparison with reference numbers as the golden manifests define it: largest absolute error, and the L2 norm of the
// error divided by the L2 norm of the reference.
import assert from 'node:assert/strict';

export interface Tolerance {
  readonly atol?: number | undefined;
  readonly rel_l2_tol?: number | undefined;
}

export interface Difference {
  readonly largest: number;
  readonly at: number;
  readonly relL2: number;
}

export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): Difference {
  let largest = 0;
  let at = 0;
  let error = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    const d = Math.abs(actual[i]! - expected[i]!);
    // NaN compares false with everything, so it must be caught by name.
    if (d > largest || Number.isNaN(d)) [largest, at] = [d, i];
    if (Number.isNaN(d)) break;
    error += d * d;
    norm += expected[i]! * expected[i]!;
  }
  return { largest, at, relL2: Number.isNaN(largest) ? Number.NaN : Math.sqrt(error / (norm || 1)) };
}

/** How close the worst comparison of a folder came to its tolerance; printed beside the number of cases. */
export class Tally {
  cases = 0;
  comparisons = 0;
  share = 0;
  worst = '-';
  readonly title: string;

  constructor(title: string) {
    this.title = title;
  }

  close(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: Tolerance): void {
    assert.equal(actual.length, expected.length, `${what}: as many values as expected`);
    const { largest, at, relL2 } = difference(actual, expected);
    const shares = [
      tolerance.atol === undefined ? 0 : largest / tolerance.atol,
      tolerance.rel_l2_tol === undefined ? 0 : relL2 / tolerance.rel_l2_tol,
    ];
    const share = Math.max(...shares);
    this.comparisons++;
    if (!(share <= this.share)) [this.share, this.worst] = [share, what];
    assert.ok(
      share <= 1,
      `${what}: largest error ${digits(largest)} (allowed ${digits(tolerance.atol)}) at index ${at}: ` +
        `got ${actual[at]}, expected ${expected[at]}; relative L2 ${digits(relL2)} (allowed ${digits(tolerance.rel_l2_tol)})`,
    );
  }

  toString(): string {
    return `${this.title}: ${this.cases} cases, ${this.comparisons} comparisons, worst at ${this.share.toFixed(2)} of its tolerance (${this.worst})`;
  }
}

function digits(x: number | undefined): string {
  return x === undefined ? 'anything' : x.toExponential(2);
}

/** Same bits: -0 differs from 0, and a NaN equals only the same NaN. */
export function sameBits(actual: Float32Array, expected: Float32Array): { at: number } | null {
  if (actual.length !== expected.length) return { at: Math.min(actual.length, expected.length) };
  const a = new Uint32Array(actual.buffer, actual.byteOffset, actual.length);
  const b = new Uint32Array(expected.buffer, expected.byteOffset, expected.length);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return { at: i };
  return null;
}

export function assertSameBits(what: string, actual: Float32Array, expected: Float32Array): void {
  const differs = sameBits(actual, expected);
  if (!differs) return;
  let count = 0;
  for (let i = 0; i < actual.length; i++) if (!Object.is(actual[i], expected[i])) count++;
  const { at } = differs;
  assert.fail(
    `${what}: ${count} of ${expected.length} values differ, first at ${at}: ${actual[at]} against ${expected[at]}`,
  );
}
