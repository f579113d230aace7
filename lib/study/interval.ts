// Means over few seeds with Student's t interval.
import type { Interval } from '../evaluation/bootstrap.ts';
import { mean, sampleDeviation } from '../statistics.ts';

/** A quantity over seeds. */
export interface Estimate {
  readonly mean: number;
  /** 95 % t interval of the mean over seeds; null for fewer than two. */
  readonly interval: Interval | null;
  /** One value per seed. */
  readonly values: readonly number[];
}

/** Quantiles 0.975 of Student's t distribution with 1, 2, ... 30 degrees of freedom. */
const T975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** Beyond the table: two terms of the Cornish-Fisher expansion around the normal quantile, good to 0.0001. */
export function t975(degrees: number): number {
  const z = 1.959964;
  return (
    T975[degrees - 1] ?? z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2)
  );
}

export function estimate(values: readonly number[]): Estimate {
  const centre = mean(values);
  if (values.length < 2) return { mean: centre, interval: null, values };
  const halfWidth = (t975(values.length - 1) * sampleDeviation(values)) / Math.sqrt(values.length);
  return { mean: centre, interval: [centre - halfWidth, centre + halfWidth], values };
}
