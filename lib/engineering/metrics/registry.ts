// Metrics by name: what a submission must hold for one, which direction is better.
import { UserError, suggestion } from '../../errors.ts';
import { accuracy, f1, macroF1, quadraticKappa } from './agreement.ts';
import {
  meanAbsoluteError,
  meanSquaredError,
  rootMeanSquaredError,
  rootMeanSquaredLogError,
  rSquared,
} from './distance.ts';
import { logLoss, multiclassLogLoss } from './likelihood.ts';
import { auc } from './ranking.ts';

type Values = readonly number[];
type OfColumn = (truth: Values, prediction: Values, weights: Values | null) => number;

export interface Metric {
  readonly better: 'higher' | 'lower';
  /** What cells hold: numbers, numbers from 0 to 1, or labels (any text, compared as such). */
  readonly cells: 'number' | 'probability' | 'label';
  /** Its value for the best possible predictions, and for what counts as none; null: depends on the data. */
  readonly best: number;
  readonly worst: number | null;
  /** Columns of a row-wise metric belong together (a probability of each class); others are scored one by one. */
  readonly rows: boolean;
  /** Columns of answers and predictions -> score. Several columns of a column-wise metric are averaged. */
  evaluate(truth: readonly Values[], prediction: readonly Values[], weights?: Values | null): number;
}

function columnWise(
  better: Metric['better'],
  cells: Metric['cells'],
  best: number,
  worst: number | null,
  of: OfColumn,
): Metric {
  return {
    ...{ better, cells, best, worst, rows: false },
    evaluate: (truth, prediction, weights = null) =>
      truth.reduce((total, column, i) => total + of(column, prediction[i]!, weights), 0) / truth.length,
  };
}

export const METRICS = {
  auc: columnWise('higher', 'probability', 1, 0, auc),
  log_loss: columnWise('lower', 'probability', 0, null, logLoss),
  multiclass_log_loss: {
    ...{ better: 'lower', cells: 'probability', best: 0, worst: null, rows: true },
    evaluate: (truth, prediction, weights = null) => {
      const rows = (columns: readonly Values[]): number[][] =>
        columns[0]!.map((_, row) => columns.map((column) => column[row]!));
      const classes = rows(truth).map((row) => row.indexOf(1));
      return multiclassLogLoss(classes, rows(prediction), weights);
    },
  },
  rmse: columnWise('lower', 'number', 0, null, rootMeanSquaredError),
  mse: columnWise('lower', 'number', 0, null, meanSquaredError),
  rmsle: columnWise('lower', 'number', 0, null, rootMeanSquaredLogError),
  mae: columnWise('lower', 'number', 0, null, meanAbsoluteError),
  r2: columnWise('higher', 'number', 1, 0, rSquared),
  accuracy: columnWise('higher', 'label', 1, 0, accuracy),
  quadratic_kappa: columnWise('higher', 'number', 1, 0, quadraticKappa),
  f1: columnWise('higher', 'label', 1, 0, f1),
  macro_f1: columnWise('higher', 'label', 1, 0, macroF1),
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;

/** Other names of the metrics, without case, hyphens, underscores and spaces. */
const ALIASES: Readonly<Record<string, MetricName>> = {
  aucroc: 'auc',
  rocauc: 'auc',
  auroc: 'auc',
  columnwiserocauc: 'auc',
  meancolumnwiserocauc: 'auc',
  binarylogloss: 'log_loss',
  multiclasslogloss: 'multiclass_log_loss',
  rootmeansquarederror: 'rmse',
  meancolumnwisermse: 'rmse',
  rootmeansquaredlogerror: 'rmsle',
  meancolumnwisermsle: 'rmsle',
  meanabsoluteerror: 'mae',
  meansquarederror: 'mse',
  categorizationaccuracy: 'accuracy',
  multiclassaccuracy: 'accuracy',
  quadraticweightedkappa: 'quadratic_kappa',
  qwk: 'quadratic_kappa',
  f1score: 'f1',
  macrof1score: 'macro_f1',
};

/** The metric a configuration means, or null. */
export function findMetric(name: string): MetricName | null {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  const own = Object.keys(METRICS).find((key) => key.replaceAll('_', '') === plain);
  return (own as MetricName | undefined) ?? ALIASES[plain] ?? null;
}

/** The metric of a name. Throws a `UserError` that lists them. */
export function metricNamed(name: string): MetricName {
  const found = findMetric(name);
  if (found !== null) return found;
  const names = Object.keys(METRICS);
  throw new UserError(`unknown metric "${name}"${suggestion(name, names)}; there are ${names.join(', ')}`);
}
