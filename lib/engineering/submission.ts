// Grades a submission: a table with the ids that were asked for, each once, and a finite number for every answer.
import type { Answers } from './answers.ts';
import { CsvError, parseCsvBytes, short, type Table } from './csv.ts';
import { MetricError } from './metrics/check.ts';

/** Scores of a valid submission, or why it is none. An invalid one has no score: not 0, which could be a good one. */
export type Grade =
  | { readonly valid: true; readonly shown: number; readonly final: number }
  | { readonly valid: false; readonly reason: string };

export interface GradingOptions {
  /** Rows of the answers whose score is shown to the solver, and those that decide. */
  readonly shown: readonly number[];
  readonly final: readonly number[];
  /** Columns a submission may have besides id and targets. */
  readonly otherColumns?: readonly string[];
  readonly maxBytes?: number;
  /** Digits behind the point that scores are rounded to. Default: not rounded. */
  readonly digits?: number;
}

const MAX_BYTES = 8 * 2 ** 20;

class Invalid extends Error {}

/** Grades the bytes of a submission. Never throws for what is in them. */
export function gradeSubmission(answers: Answers, bytes: Uint8Array, options: GradingOptions): Grade {
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  if (bytes.length > maxBytes) return { valid: false, reason: `the submission is larger than ${maxBytes} bytes` };
  try {
    const table = parseCsvBytes(bytes);
    checkHeader(answers, table, options.otherColumns ?? []);
    const prediction = inOrder(answers, table);
    const score = (rows: readonly number[]): number => rounded(answers.score(prediction, rows), options.digits);
    return { valid: true, shown: score(options.shown), final: score(options.final) };
  } catch (error) {
    if (error instanceof CsvError || error instanceof MetricError || error instanceof Invalid) {
      return { valid: false, reason: error.message };
    }
    throw error;
  }
}

function rounded(value: number, digits: number | undefined): number {
  return digits === undefined ? value : Math.round(value * 10 ** digits) / 10 ** digits;
}

function checkHeader({ scoring }: Answers, { columns }: Table, others: readonly string[]): void {
  const needed = [scoring.id, ...scoring.targets];
  const missing = needed.filter((name) => !columns.includes(name));
  const unknown = columns.filter((name) => !needed.includes(name) && !others.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const problem =
    missing.length > 0 ? `the column ${missing[0]} is missing` : `there is a column "${short(unknown[0]!)}"`;
  throw new Invalid(`wrong header: ${problem}; expected ${needed.join(',')}`);
}

/** The columns of the targets in the order of the answers. An id that the answers have several times must come as often. */
function inOrder(answers: Answers, { columns, rows }: Table): number[][] {
  const { id, targets } = answers.scoring;
  const places = new Map<string, number[]>();
  for (const [row, name] of answers.ids.entries()) {
    const known = places.get(name);
    if (known === undefined) places.set(name, [row]);
    else known.push(row);
  }
  const idColumn = columns.indexOf(id);
  const targetColumns = targets.map((name) => columns.indexOf(name));
  const prediction = targets.map(() => new Array<number>(answers.ids.length).fill(Number.NaN));
  const used = new Map<string, number>();
  for (const cells of rows) {
    const name = cells[idColumn]!;
    const asked = places.get(name);
    if (asked === undefined) throw new Invalid(`nobody asked for ${id} "${short(name)}"`);
    const before = used.get(name) ?? 0;
    if (before === asked.length) throw new Invalid(`${id} "${short(name)}" is there more than once`);
    used.set(name, before + 1);
    for (const [k, column] of targetColumns.entries()) {
      const value = answers.cell(cells[column]!);
      if (typeof value === 'string')
        throw new Invalid(`${targets[k]} of ${id} "${short(name)}" ${value}: "${short(cells[column]!)}"`);
      prediction[k]![asked[before]!] = value;
    }
  }
  if (rows.length < answers.ids.length) {
    const missing = answers.ids.find((name) => (used.get(name) ?? 0) < places.get(name)!.length)!;
    throw new Invalid(
      `${answers.ids.length - rows.length} of ${answers.ids.length} rows are missing, ${id} "${short(missing)}" for one`,
    );
  }
  return prediction;
}
