// Rows of numbers and categories. The target is a sum of linear effects, products of features, steps at thresholds and
// effects of categories, plus noise; some cells are empty.
import type { Random } from '../../rng.ts';
import { mean, variance } from '../../statistics.ts';
import { cell, matrix, normal, type Problem, sigmoid } from './problem.ts';
import type { GeneratedSettings } from './settings.ts';

const CATEGORIES = 2;
const LEVELS = ['amber', 'birch', 'coral', 'dune', 'ember'];
/** Slope of the log-odds for one standard deviation of the signal, without noise. */
const STEEP = 4;

interface Row {
  readonly numbers: readonly number[];
  readonly levels: readonly number[];
}

export function tabular(settings: GeneratedSettings, random: Random): Problem {
  const { rows, testRows, columns, noise, shift, missing } = settings;
  const scales = Array.from({ length: columns }, () => ({
    centre: 20 * normal(random),
    spread: 10 ** random.uniform(),
  }));
  const row = (shifted: number): Row => ({
    numbers: scales.map((_, i) => normal(random) + (i % 3 === 0 ? shifted : 0)),
    levels: Array.from({ length: CATEGORIES }, () => random.below(LEVELS.length)),
  });
  const signalOf = effects(settings, random);
  const all = [...Array.from({ length: rows }, () => row(0)), ...Array.from({ length: testRows }, () => row(shift))];
  const raw = all.map(signalOf);
  const centre = mean(raw.slice(0, rows));
  const spread = Math.sqrt(variance(raw.slice(0, rows))) || 1;
  const signal = raw.map((value) => (value - centre) / spread);
  const regression = settings.family === 'regression';
  const outcome = regression ? numberOutcome(signal, noise, random) : binaryOutcome(signal, settings, random);

  const isMissing = all.map(({ numbers }) => numbers.map(() => random.chance(missing)));
  const cells = all.map(({ numbers, levels }, r) => [
    ...numbers.map((z, i) => (isMissing[r]![i] ? '' : cell(scales[i]!.centre + scales[i]!.spread * z))),
    ...levels.map((level) => LEVELS[level]!),
  ]);
  const design = all.map(({ numbers, levels }, r) => [
    ...numbers.map((z, i) => (isMissing[r]![i] ? 0 : z)),
    ...levels.flatMap((level) => LEVELS.slice(1).map((_, l) => (level === l + 1 ? 1 : 0))),
  ]);
  const truth = outcome.truth;
  return {
    title: regression ? 'Yield of a process' : 'Failing parts',
    story:
      `Columns x1 to x${columns} are measurements, c1 to c${CATEGORIES} are categories. Cells may be empty. ` +
      (regression ? 'The target `y` is a number.' : 'The target `y` is 1 or 0; predict the probability of 1.'),
    metric: regression ? 'rmse' : 'auc',
    classes: null,
    target: 'y',
    features: [...scales.map((_, i) => `x${i + 1}`), ...Array.from({ length: CATEGORIES }, (_, i) => `c${i + 1}`)],
    train: cells.slice(0, rows),
    test: cells.slice(rows),
    trainTruth: truth.slice(0, rows),
    testTruth: truth.slice(rows),
    ideal: [outcome.ideal.slice(rows)],
    design: { train: matrix(design.slice(0, rows)), test: matrix(design.slice(rows)) },
  };
}

/** The function that is to be learned, up to centre and scale. */
function effects({ columns, interactions }: GeneratedSettings, random: Random): (row: Row) => number {
  const linear = Array.from({ length: columns }, () => (random.chance(0.6) ? normal(random) : 0));
  const products = Array.from({ length: interactions }, () => ({
    a: random.below(columns),
    b: random.below(columns),
    weight: 1.2 * normal(random),
  }));
  const steps = Array.from({ length: interactions }, () => ({
    column: random.below(columns),
    threshold: normal(random),
    weight: 1.5 * normal(random),
  }));
  const categories = Array.from({ length: CATEGORIES }, () => LEVELS.map(() => normal(random)));
  return ({ numbers, levels }) => {
    let value = 0;
    for (const [i, weight] of linear.entries()) value += weight * numbers[i]!;
    for (const { a, b, weight } of products) value += weight * numbers[a]! * numbers[b]!;
    for (const { column, threshold, weight } of steps) value += numbers[column]! > threshold ? weight : 0;
    for (const [i, level] of levels.entries()) value += categories[i]![level]!;
    return value;
  };
}

interface Outcome {
  readonly truth: number[];
  readonly ideal: number[];
}

function numberOutcome(signal: readonly number[], noise: number, random: Random): Outcome {
  const scale = 10 ** (2 * random.uniform());
  const offset = 5 * scale * normal(random);
  const rounded = (value: number): number => Number(cell(value));
  return {
    truth: signal.map((value) => rounded(offset + scale * (value + noise * normal(random)))),
    ideal: signal.map((value) => offset + scale * value),
  };
}

function binaryOutcome(
  signal: readonly number[],
  { rows, noise, imbalance }: GeneratedSettings,
  random: Random,
): Outcome {
  const slope = STEEP / (1 + 2 * noise);
  // The intercept that makes the share of ones right, by halving.
  let [low, high] = [-50, 50];
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (mean(signal.map((value) => sigmoid(slope * value + middle))) < imbalance) low = middle;
    else high = middle;
  }
  const ideal = signal.map((value) => sigmoid(slope * value + low));
  const truth = ideal.map((p) => (random.chance(p) ? 1 : 0));
  for (const [from, to] of [
    [0, rows],
    [rows, truth.length],
  ] as const) {
    haveBoth(truth, ideal, from, to);
  }
  return { truth, ideal };
}

/** Fewer rows of a class than this cannot be split. */
const LEAST_OF_A_CLASS = 4;

/** Turns the likeliest rows of a part, where a class would be all but absent. */
function haveBoth(truth: number[], ideal: readonly number[], from: number, to: number): void {
  for (const label of [1, 0]) {
    const others = truth.flatMap((y, row) => (row >= from && row < to && y !== label ? [row] : []));
    const missing = LEAST_OF_A_CLASS - (to - from - others.length);
    const likeliest = others.sort((a, b) => (label === 1 ? ideal[b]! - ideal[a]! : ideal[a]! - ideal[b]!));
    for (const row of likeliest.slice(0, Math.max(0, missing))) truth[row] = label;
  }
}
