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

/** What native/device/device.cc says when nothing can be computed in this process any more. */
const LOST = 'this process cannot use it any more';

/** A case cost this process its device; the cases after it need another one (--after). */
export class DeviceLost extends Error {
  readonly label: string;
  readonly report: Report;

  constructor(label: string, report: Report) {
    super(`${label}: the device is lost`);
    this.label = label;
    this.report = report;
  }
}

/** Runs the wanted cases one after the other. Throws DeviceLost. */
export async function runCases(report: OpenReport, cases: readonly Case[], options: BenchOptions): Promise<void> {
  for (const { label, run } of cases) {
    if (!isWanted(label, options)) continue;
    options.progress?.(report, label);
    try {
      await run();
    } catch (error) {
      notMeasured(report, label, error);
      if (reasonOf(error).includes(LOST)) throw new DeviceLost(label, report);
    }
    options.progress?.(report, null);
  }
}

/** Asked in the order of the cases. */
export function isWanted(label: string, { only, after }: BenchOptions): boolean {
  if (only !== null && !label.includes(only)) return false;
  if (after === null || after.reached) return true;
  after.reached = label === after.label;
  return false;
}
