// A made task before it becomes files: cells for the solver, the truth for the grader, features for the reference solvers.
import type { Random } from '../../rng.ts';
import type { MetricName } from '../metrics/registry.ts';

/** Rows of features, one after the other. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

export interface Problem {
  readonly title: string;
  /** Markdown about the columns. */
  readonly story: string;
  readonly metric: MetricName;
  /** Labels of the classes, the targets of a submission; null: one number, or the probability of a 1. */
  readonly classes: readonly string[] | null;
  readonly target: string;
  readonly features: readonly string[];
  readonly train: readonly (readonly string[])[];
  readonly test: readonly (readonly string[])[];
  /** Numbers, 0/1, or places in `classes`. */
  readonly trainTruth: readonly number[];
  readonly testTruth: readonly number[];
  /** The best predictions that knowing the process allows, a column for each target. */
  readonly ideal: readonly (readonly number[])[];
  readonly design: { readonly train: Matrix; readonly test: Matrix };
}

/** Standard normal. */
export function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}

/** A number as a cell: five digits are plenty for made data. */
export const cell = (value: number): string => String(Number(value.toPrecision(5)));

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function matrix(rows: readonly (readonly number[])[]): Matrix {
  const columns = rows[0]?.length ?? 0;
  return { rows: rows.length, columns, values: Float64Array.from(rows.flat()) };
}
