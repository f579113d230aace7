// Gradient boosting of trees of depth 2 over features in bins.
import type { Matrix } from '../generated/problem.ts';

const BINS = 16;

export interface BoostingSettings {
  readonly rounds: number;
  readonly rate: number;
  /** Squared error, or the log-odds of a 1. */
  readonly loss: 'squared' | 'logistic';
}

interface Split {
  readonly feature: number;
  /** Bins up to this one go left. */
  readonly bin: number;
  readonly gain: number;
}

/** Predictions for the test rows: numbers, or log-odds. */
export function boosting(train: Matrix, y: readonly number[], test: Matrix, settings: BoostingSettings): Float64Array {
  const { rounds, rate, loss } = settings;
  const edges = binEdges(train);
  const trainBins = intoBins(train, edges);
  const testBins = intoBins(test, edges);
  const base = y.reduce((sum, value) => sum + value, 0) / y.length;
  const share = Math.min(0.999, Math.max(0.001, base));
  const start = loss === 'squared' ? base : Math.log(share / (1 - share));
  const fitted = new Float64Array(train.rows).fill(start);
  const predicted = new Float64Array(test.rows).fill(start);
  const gradient = new Float64Array(train.rows);
  const curvature = new Float64Array(train.rows).fill(1);
  for (let round = 0; round < rounds; round++) {
    for (let r = 0; r < train.rows; r++) {
      if (loss === 'squared') gradient[r] = y[r]! - fitted[r]!;
      else {
        const p = 1 / (1 + Math.exp(-fitted[r]!));
        gradient[r] = y[r]! - p;
        curvature[r] = Math.max(1e-6, p * (1 - p));
      }
    }
    growTree({ train, trainBins, test, testBins, gradient, curvature, rate, fitted, predicted });
  }
  return predicted;
}

interface Growth {
  readonly train: Matrix;
  readonly trainBins: Uint8Array;
  readonly test: Matrix;
  readonly testBins: Uint8Array;
  readonly gradient: Float64Array;
  readonly curvature: Float64Array;
  readonly rate: number;
  readonly fitted: Float64Array;
  readonly predicted: Float64Array;
}

/** One tree of four leaves, added to the predictions. */
function growTree(growth: Growth): void {
  const { train, trainBins, test, testBins, gradient, curvature, rate, fitted, predicted } = growth;
  const all = new Uint8Array(train.rows);
  const root = bestSplit(growth, all, 0);
  if (root === null) return;
  const side = (bins: Uint8Array, columns: number, row: number, { feature, bin }: Split): number =>
    bins[row * columns + feature]! > bin ? 1 : 0;
  for (let r = 0; r < train.rows; r++) all[r] = side(trainBins, train.columns, r, root);
  const children = [bestSplit(growth, all, 0), bestSplit(growth, all, 1)];
  const leafOf = (bins: Uint8Array, columns: number, row: number): number => {
    const half = side(bins, columns, row, root);
    const child = children[half]!;
    return 2 * half + (child === null ? 0 : side(bins, columns, row, child));
  };
  const sums = new Float64Array(4);
  const weights = new Float64Array(4).fill(1);
  const leaves = Uint8Array.from({ length: train.rows }, (_, r) => leafOf(trainBins, train.columns, r));
  for (const [r, leaf] of leaves.entries()) {
    sums[leaf]! += gradient[r]!;
    weights[leaf]! += curvature[r]!;
  }
  const step = sums.map((sum, leaf) => (rate * sum) / weights[leaf]!);
  for (const [r, leaf] of leaves.entries()) fitted[r]! += step[leaf]!;
  for (let t = 0; t < test.rows; t++) predicted[t]! += step[leafOf(testBins, test.columns, t)]!;
}

/** The split of the rows with this mark that explains most of the gradient. */
function bestSplit({ train, trainBins, gradient, curvature }: Growth, marks: Uint8Array, mark: number): Split | null {
  const { columns } = train;
  const sums = new Float64Array(columns * BINS);
  const weights = new Float64Array(columns * BINS);
  let total = 0;
  let weight = 0;
  for (let r = 0; r < train.rows; r++) {
    if (marks[r] !== mark) continue;
    total += gradient[r]!;
    weight += curvature[r]!;
    for (let c = 0; c < columns; c++) {
      const place = c * BINS + trainBins[r * columns + c]!;
      sums[place]! += gradient[r]!;
      weights[place]! += curvature[r]!;
    }
  }
  let best: Split | null = null;
  for (let feature = 0; feature < columns; feature++) {
    let left = 0;
    let leftWeight = 0;
    for (let bin = 0; bin < BINS - 1; bin++) {
      left += sums[feature * BINS + bin]!;
      leftWeight += weights[feature * BINS + bin]!;
      const rightWeight = weight - leftWeight;
      if (leftWeight < 1 || rightWeight < 1) continue;
      const gain = left ** 2 / leftWeight + (total - left) ** 2 / rightWeight - total ** 2 / weight;
      if (gain > (best?.gain ?? 1e-9)) best = { feature, bin, gain };
    }
  }
  return best;
}

/** Quantiles of every feature. */
function binEdges({ rows, columns, values }: Matrix): Float64Array[] {
  return Array.from({ length: columns }, (_, c) => {
    const sorted = Float64Array.from({ length: rows }, (_, r) => values[r * columns + c]!).sort();
    return Float64Array.from({ length: BINS - 1 }, (_, i) => sorted[Math.floor(((i + 1) * rows) / BINS)]!);
  });
}

function intoBins({ rows, columns, values }: Matrix, edges: readonly Float64Array[]): Uint8Array {
  const bins = new Uint8Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      let bin = 0;
      while (bin < BINS - 1 && values[r * columns + c]! >= edges[c]![bin]!) bin++;
      bins[r * columns + c] = bin;
    }
  }
  return bins;
}
