// Curves as text.
import type { Curve } from './evaluate.ts';

const percent = (value: number): string => value.toFixed(3);

/** Pads cells to columns: the first to the left, the others to the right. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** One line per arm: quality at each k. Below: levels to compare with. */
export function formatCurves(curves: Readonly<Record<string, Curve>>): string {
  const [any] = Object.values(curves);
  if (any === undefined) return '';
  const header = ['quality at k =', ...any.points.map(({ k }) => String(k))];
  const rows = Object.entries(curves).map(([name, { points }]) => [name, ...points.map((p) => percent(p.quality))]);
  const error = Math.max(...Object.values(curves).flatMap(({ points }) => points.map((point) => point.error)));
  return [
    formatTable([header, ...rows]),
    `${formatLevels(any)}; ${any.instances} held-out instances, standard error at most ${percent(error)}`,
  ].join('\n');
}

/** One arm in full: a line per k. */
export function formatCurve(curve: Curve): string {
  const header = ['k', 'quality', '+-', 'best so far', 'solved', 'net corrections'];
  const rows = curve.points.map((p) => [
    String(p.k),
    percent(p.quality),
    percent(p.error),
    percent(p.best),
    percent(p.solved),
    String(p.netCorrections),
  ]);
  return `${formatTable([header, ...rows])}\n${formatLevels(curve)}; ${curve.instances} held-out instances`;
}

const formatLevels = ({ levels }: Curve): string =>
  Object.entries(levels)
    .map(([name, level]) => `${name}: ${percent(level)}`)
    .join(', ');
