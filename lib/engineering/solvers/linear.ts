// Ridge regression and logistic regression through the normal equations.
import type { Matrix } from '../generated/problem.ts';

/** Coefficients, the intercept first. */
type Coefficients = Float64Array;

/** Minimises sum w (y - b0 - x b)^2 + penalty |b|^2; the intercept is free. */
export function ridge(
  x: Matrix,
  y: ArrayLike<number>,
  weights: ArrayLike<number> | null,
  penalty: number,
): Coefficients {
  const size = x.columns + 1;
  const gram = new Float64Array(size * size);
  const right = new Float64Array(size);
  const row = new Float64Array(size);
  row[0] = 1;
  for (let r = 0; r < x.rows; r++) {
    row.set(x.values.subarray(r * x.columns, (r + 1) * x.columns), 1);
    const weight = weights === null ? 1 : weights[r]!;
    for (let i = 0; i < size; i++) {
      const value = weight * row[i]!;
      if (value === 0) continue;
      right[i]! += value * y[r]!;
      for (let j = 0; j <= i; j++) gram[i * size + j]! += value * row[j]!;
    }
  }
  for (let i = 1; i < size; i++) gram[i * size + i]! += penalty;
  return solvePositive(gram, right, size);
}

/** Cholesky on the lower triangle; a pivot that rounding made 0 or less drops its unknown. */
function solvePositive(a: Float64Array, b: Float64Array, size: number): Float64Array {
  for (let j = 0; j < size; j++) {
    for (let k = 0; k < j; k++) {
      const factor = a[j * size + k]!;
      for (let i = j; i < size; i++) a[i * size + j]! -= a[i * size + k]! * factor;
    }
    const pivot = a[j * size + j]!;
    const root = pivot > 1e-12 ? Math.sqrt(pivot) : Number.POSITIVE_INFINITY;
    for (let i = j; i < size; i++) a[i * size + j]! /= root;
    if (root === Number.POSITIVE_INFINITY) a[j * size + j] = Number.POSITIVE_INFINITY;
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) x[i]! -= a[i * size + k]! * x[k]!;
    x[i]! /= a[i * size + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) x[i]! -= a[k * size + i]! * x[k]!;
    x[i]! /= a[i * size + i]!;
  }
  return x;
}

/** b0 + x b of every row. */
export function linearPredictions(x: Matrix, coefficients: Coefficients): Float64Array {
  const out = new Float64Array(x.rows);
  for (let r = 0; r < x.rows; r++) {
    let value = coefficients[0]!;
    for (let c = 0; c < x.columns; c++) value += coefficients[c + 1]! * x.values[r * x.columns + c]!;
    out[r] = value;
  }
  return out;
}

const NEWTON_STEPS = 4;
const MOST_LOG_ODDS = 12;

/** Log-odds of a 1: iteratively reweighted least squares. */
export function logistic(x: Matrix, y: readonly number[], penalty: number): Coefficients {
  let coefficients: Coefficients = new Float64Array(x.columns + 1);
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const odds = linearPredictions(x, coefficients).map((value) =>
      Math.max(-MOST_LOG_ODDS, Math.min(MOST_LOG_ODDS, value)),
    );
    const p = odds.map((value) => 1 / (1 + Math.exp(-value)));
    const weights = p.map((value) => Math.max(1e-6, value * (1 - value)));
    const working = odds.map((value, r) => value + (y[r]! - p[r]!) / weights[r]!);
    coefficients = ridge(x, working, weights, penalty);
  }
  return coefficients;
}
