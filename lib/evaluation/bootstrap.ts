// Confidence intervals of means without a model of the distribution: the percentile bootstrap (Efron, 1979).
import type { Random } from '../rng.ts';

/** Lower and upper end. */
export type Interval = readonly [low: number, high: number];

export interface BootstrapSettings {
  readonly resamples?: number;
  /** Probability that the interval is to cover. */
  readonly level?: number;
}

/**
 * Intervals of the means of several series over the same units (instances), resampled together. An unknown value (null) is
 * left out of its mean. Null where fewer than two values are known: one unit says nothing about the spread.
 */
export function bootstrapMeans(
  series: readonly (readonly (number | null)[])[],
  random: Random,
  { resamples = 1000, level = 0.95 }: BootstrapSettings = {},
): (Interval | null)[] {
  const units = series[0]?.length ?? 0;
  const columns = series.map((values) => Float64Array.from(values, (value) => value ?? Number.NaN));
  const means = columns.map(() => [] as number[]);
  const drawn = new Int32Array(units);
  for (let b = 0; b < resamples; b++) {
    for (let i = 0; i < units; i++) drawn[i] = random.below(units);
    for (const [c, column] of columns.entries()) {
      const value = meanOfDrawn(column, drawn);
      if (!Number.isNaN(value)) means[c]!.push(value); // a resample may hold unknown values only
    }
  }
  const tail = (1 - level) / 2;
  return columns.map((column, c) => {
    if (column.reduce((n, value) => (Number.isNaN(value) ? n : n + 1), 0) < 2) return null;
    const sorted = Float64Array.from(means[c]!).sort();
    return [quantile(sorted, tail), quantile(sorted, 1 - tail)];
  });
}

/** Quantile of sorted values, linear between neighbours (type 7 of Hyndman and Fan, 1996). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}

/** Mean of the known values among those drawn; NaN when there is none. */
function meanOfDrawn(column: Float64Array, drawn: Int32Array): number {
  let sum = 0;
  let count = 0;
  for (let i = 0; i < drawn.length; i++) {
    const value = column[drawn[i]!]!;
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}
