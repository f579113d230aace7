// The hidden answers of a competition, ready to score predictions with.
import { UserError } from '../errors.ts';
import { columnIndex, CsvError, type Table } from './csv.ts';
import { MetricError } from './metrics/check.ts';
import { type Metric, METRICS, type MetricName } from './metrics/registry.ts';

/** Which cells of tables are the answers, and how they are scored. */
export interface Scoring {
  readonly metric: MetricName;
  readonly id: string;
  readonly targets: readonly string[];
}

/** Rows of the answers that make a score. */
export type Rows = readonly number[];

export class Answers {
  readonly scoring: Scoring;
  readonly ids: readonly string[];
  readonly metric: Metric;
  readonly #columns: readonly (readonly number[])[];
  readonly #codes: LabelCodes;

  /** Throws where a cell of the table is no answer, or the metric is not defined for it. */
  constructor(scoring: Scoring, table: Table) {
    this.scoring = scoring;
    this.metric = METRICS[scoring.metric];
    const place = (name: string): number => inAnswers(table, name);
    const id = place(scoring.id);
    const places = scoring.targets.map(place);
    this.ids = table.rows.map((row) => row[id]!);
    this.#codes = new LabelCodes();
    this.#columns = places.map((place, i) =>
      table.rows.map((row) => {
        const value = this.cell(row[place]!);
        if (typeof value === 'number') return value;
        throw new UserError(`the answer "${row[place]}" in column ${scoring.targets[i]} ${value}`);
      }),
    );
    this.#codes.seal();
  }

  /** Throws a `UserError` where no submission could have a score on these rows: all of one class, for example. */
  check(rows: Rows): void {
    try {
      this.score(this.#columns, rows);
    } catch (error) {
      if (error instanceof MetricError)
        throw new UserError(`the answers cannot be scored by ${this.scoring.metric}: ${error.message}`);
      throw error;
    }
  }

  /** The number a cell stands for, or what is wrong with it. */
  cell(text: string): number | string {
    const trimmed = text.trim();
    if (this.metric.cells === 'label') return trimmed === '' ? 'is empty' : this.#codes.of(trimmed);
    const value = parseNumber(trimmed);
    if (value === null) return trimmed === '' ? 'is empty' : 'is not a finite number';
    if (this.metric.cells === 'probability' && (value < 0 || value > 1)) return 'is not from 0 to 1';
    return value;
  }

  /** The score of predictions (columns of the targets, rows in the order of the answers) on some of the rows. */
  score(prediction: readonly (readonly number[])[], rows: Rows): number {
    const of = (columns: readonly (readonly number[])[]): number[][] =>
      columns.map((column) => rows.map((row) => column[row]!));
    return this.metric.evaluate(of(this.#columns), of(prediction));
  }
}

function inAnswers(table: Table, name: string): number {
  try {
    return columnIndex(table, name);
  } catch (error) {
    if (error instanceof CsvError) throw new UserError(`the answers: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A finite number as Python and pandas print one; True and False are 1 and 0. */
export function parseNumber(text: string): number | null {
  if (/^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true' ? 1 : 0;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/** Labels as numbers: numbers stay what they are, so that 1 and 1.0 are the same; other text gets codes below 0. */
class LabelCodes {
  readonly #codes = new Map<string, number>();
  #sealed = false;

  /** From now on labels are not remembered: submissions may hold any number of others. */
  seal(): void {
    this.#sealed = true;
  }

  of(label: string): number {
    const value = parseNumber(label);
    if (value !== null && value >= 0) return value;
    const known = this.#codes.get(label);
    if (known !== undefined) return known;
    if (this.#sealed) return UNKNOWN - textHash(label);
    const code = -1 - this.#codes.size;
    this.#codes.set(label, code);
    return code;
  }
}

/** Codes of labels that are no answer begin below this. */
const UNKNOWN = -(2 ** 32);

function textHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) >>> 0;
  return hash;
}
