// Entries of a made leaderboard: solvers of different strength and effort, each on a sample of the rows and columns.
import type { Random } from '../../rng.ts';
import type { Matrix, Problem } from '../generated/problem.ts';
import { naiveBayes } from './bayes.ts';
import { boosting } from './boosting.ts';
import { linearPredictions, logistic, ridge } from './linear.ts';
import { nearestNeighbours, neighbourMeans } from './neighbours.ts';

export interface Entry {
  readonly name: string;
  /** A column of predictions for each target. */
  readonly prediction: readonly (readonly number[])[];
}

/** Looks at the rows, then predicts one target at a time. */
type Fit = (train: Matrix, test: Matrix) => (y: readonly number[]) => ArrayLike<number>;

const KINDS = ['constant', 'linear', 'linear', 'neighbours', 'neighbours', 'boosting', 'boosting', 'boosting'] as const;
const KINDS_OF_TEXT = ['constant', 'linear', 'neighbours', 'bayes', 'bayes', 'boosting'] as const;
type Kind = (typeof KINDS)[number] | (typeof KINDS_OF_TEXT)[number];
/** Columns that entries look at, the first ones; naive Bayes costs so little that it may see all. */
const MOST_COLUMNS = 30;
/** Rows that an entry learns from at most: the leaderboard should cost a fraction of a second. */
const MOST_ROWS = 300;
const MOST_NEIGHBOURS_ROWS = 200;

/** Always the first entry: the mean, or the shares of the classes. */
export const constantEntry = (problem: Problem): Entry => ({
  name: 'constant',
  prediction: predict(
    problem,
    (_, test) => (y) => new Float64Array(test.rows).fill(mean(y)),
    rowsUpTo(problem.trainTruth.length),
  ),
});

/** One entry; what it does is drawn. */
export function drawEntry(problem: Problem, random: Random): Entry {
  const kind: Kind = problem.classes === null ? random.pick(KINDS) : random.pick(KINDS_OF_TEXT);
  const numeric = problem.metric !== 'auc' && problem.classes === null;
  const most = kind === 'neighbours' ? MOST_NEIGHBOURS_ROWS : MOST_ROWS;
  const all = problem.trainTruth.length;
  const wanted = Math.max(20, Math.floor(Math.min(all, most) * (0.3 + 0.7 * random.uniform())));
  const rows = random.shuffled(rowsUpTo(all)).slice(0, wanted);
  const keep = 0.4 + 0.6 * random.uniform();
  const { columns: width } = problem.design.train;
  const visible = kind === 'bayes' ? width : Math.min(width, MOST_COLUMNS);
  const columns = rowsUpTo(visible).filter(() => random.chance(keep));
  const fit = drawFit(kind, numeric, random);
  const name = `${kind}-${rows.length}x${columns.length}`;
  return { name, prediction: predict(problem, fit, rows, columns.length > 0 ? columns : [0]) };
}

function drawFit(kind: Kind, numeric: boolean, random: Random): Fit {
  const toProbability = (odds: Float64Array): ArrayLike<number> =>
    numeric ? odds : odds.map((x) => 1 / (1 + Math.exp(-x)));
  if (kind === 'constant') {
    // A guess at the mean from a few rows.
    const seen = 3 + random.below(30);
    return (_, test) => (y) => new Float64Array(test.rows).fill(mean(y.slice(0, seen)));
  }
  if (kind === 'linear') {
    const penalty = 10 ** (4 * random.uniform() - 2);
    return (train, test) => (y) =>
      toProbability(linearPredictions(test, numeric ? ridge(train, y, null, penalty) : logistic(train, y, penalty)));
  }
  if (kind === 'neighbours') {
    const k = 1 + random.below(30);
    return (train, test) => {
      const neighbours = nearestNeighbours(train, test, k);
      return (y) => neighbourMeans(neighbours, y, test.rows);
    };
  }
  if (kind === 'bayes') {
    const smoothing = 10 ** (2 * random.uniform() - 1);
    return (train, test) => (y) => toProbability(naiveBayes(train, y, test, smoothing));
  }
  const settings = { rounds: 3 + random.below(40), rate: 0.05 + 0.25 * random.uniform() };
  const loss = numeric ? 'squared' : 'logistic';
  return (train, test) => (y) => toProbability(boosting(train, y, test, { ...settings, loss }));
}

/** Classes one against the rest, made to sum to 1. */
function predict(
  { design, trainTruth, classes }: Problem,
  fit: Fit,
  rows: readonly number[],
  columns?: readonly number[],
): number[][] {
  const chosen = columns ?? rowsUpTo(design.train.columns);
  const train = part(design.train, rows, chosen);
  const test = part(design.test, rowsUpTo(design.test.rows), chosen);
  const model = fit(train, test);
  if (classes === null) return [Array.from(model(rows.map((row) => trainTruth[row]!)))];
  const isClass = (k: number): number[] => rows.map((row) => (trainTruth[row] === k ? 1 : 0));
  const scores = classes.map((_, k) => Array.from(model(isClass(k))));
  const floor = 0.01;
  return scores.map((column) =>
    column.map((score, t) => (score + floor) / scores.reduce((sum, other) => sum + other[t]! + floor, 0)),
  );
}

function part({ columns, values }: Matrix, rows: readonly number[], chosen: readonly number[]): Matrix {
  const out = new Float64Array(rows.length * chosen.length);
  for (const [r, row] of rows.entries()) {
    for (const [c, column] of chosen.entries()) out[r * chosen.length + c] = values[row * columns + column]!;
  }
  return { rows: rows.length, columns: chosen.length, values: out };
}

const rowsUpTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
