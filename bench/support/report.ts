// A result as a Markdown table for people and as JSON for baselines.

export type Cell = string | number | null;

export interface Report {
  readonly name: string;
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Said under the table. */
  readonly notes: readonly string[];
  /** Everything measured, unrounded. */
  readonly data: unknown;
  /** Cases that failed, where that does not end the benchmark. */
  readonly notMeasured?: readonly { readonly label: string; readonly reason: string }[];
}

export function markdown({ title, columns, rows, notes }: Report): string {
  const text = rows.map((row) => row.map((cell) => (cell === null ? '-' : String(cell))));
  const widths = columns.map((column, c) => Math.max(column.length, ...text.map((row) => (row[c] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, c) => cell.padEnd(widths[c]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  const table = [line(columns), rule, ...text.map(line)].join('\n');
  return [`## ${title}`, '', table, ...notes.map((note) => `\n${note}`), ''].join('\n');
}

/** Whole percents. */
export const percent = (share: number): Cell => (Number.isFinite(share) ? `${Math.round(100 * share)} %` : null);

/** Three significant digits, without exponents. */
export function digits(x: number): string {
  if (!Number.isFinite(x)) return '-';
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x) || 1)));
  return x.toFixed(Math.min(decimals, 6));
}
