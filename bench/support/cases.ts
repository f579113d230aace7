// The cases of a benchmark on a card, where time is short: one that fails is a row that says why, and what was measured is
// handed on before and after every case.
import type { BenchOptions } from './options.ts';
import type { Cell, Report } from './report.ts';

export interface NotMeasured {
  readonly label: string;
  readonly reason: string;
}

/** A report that grows. */
export interface OpenReport extends Report {
  readonly rows: Cell[][];
  readonly notes: string[];
  readonly notMeasured: NotMeasured[];
}

export interface Case {
  readonly label: string;
  /** Measures, and adds rows and data. */
  run(): void | Promise<void>;
}

export const openReport = <Data>(
  name: string,
  title: string,
  columns: readonly string[],
  data: Data,
): OpenReport & { readonly data: Data } => ({ name, title, columns, rows: [], notes: [], notMeasured: [], data });

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export function notMeasured(report: OpenReport, label: string, error: unknown): void {
  const reason = reasonOf(error);
  report.notMeasured.push({ label, reason });
  report.rows.push([label, ...report.columns.slice(2).map(() => null), `not measured: ${reason}`]);
}

/** Runs the wanted cases one after the other. */
export async function runCases(report: OpenReport, cases: readonly Case[], options: BenchOptions): Promise<void> {
  for (const { label, run } of cases) {
    if (!isWanted(label, options)) continue;
    options.progress?.(report, label);
    try {
      await run();
    } catch (error) {
      notMeasured(report, label, error);
    }
    options.progress?.(report, null);
  }
}

export const isWanted = (label: string, { only }: BenchOptions): boolean => only === null || label.includes(only);
