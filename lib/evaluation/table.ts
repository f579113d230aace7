// Curves as text.
import { mean } from '../statistics.ts';
import type { Interval } from './bootstrap.ts';
import type { Curve, CurvePoint } from './evaluate.ts';

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

/** One arm in full: a line per k with 95 % intervals. */
export function formatCurve(curve: Curve): string {
  const columns: readonly (readonly [string, (point: CurvePoint) => string])[] = [
    ['k', (p) => String(p.k)],
    ['quality', (p) => withInterval(p.quality, p.intervals.quality)],
    ['delta', (p) => withInterval(p.delta, p.intervals.delta)],
    ['solved', (p) => withInterval(p.solved, p.intervals.solved)],
    ['best so far', (p) => percent(p.best)],
    ['wrong to right', (p) => String(p.wrongToRight)],
    ['right to wrong', (p) => String(p.rightToWrong)],
    ['net', (p) => withInterval(p.netCorrections, p.intervals.netCorrections, (value) => value.toFixed(0))],
    ...(curve.turns === 1 ? [] : MULTI_TURN),
    ...(curve.reviseBelow === null ? [] : [['revisions', (p: CurvePoint) => p.revisions.toFixed(2)] as const]),
  ];
  const rows = curve.points.map((point) => columns.map(([, cell]) => cell(point)));
  const unjudged = curve.points.reduce((sum, point) => sum + point.unjudged, 0);
  const notes = [
    formatLevels(curve),
    `${curve.instances} held-out instances${curve.samples === 1 ? '' : ` x ${curve.samples} samples`}`,
    '[95 % interval over instances]',
    ...(unjudged === 0 ? [] : [`${unjudged} episodes could not be judged and are left out`]),
  ];
  const table = formatTable([columns.map(([name]) => name), ...rows]);
  return [table, notes.join('; '), ...(curve.parts === undefined ? [] : ['', formatParts(curve.parts)])].join('\n');
}

/** A line per part: quality at each k. Below: the mean over parts, each of the same weight. */
function formatParts(parts: NonNullable<Curve['parts']>): string {
  const lists = Object.values(parts);
  const ks = lists[0]!.points.map(({ k }) => k);
  const rows = Object.entries(parts).map(([name, { instances, points }]) => [
    `${name} (${instances})`,
    ...points.map(({ quality }) => percent(quality)),
  ]);
  const means = ks.map((_, i) => percent(mean(lists.map(({ points }) => points[i]!.quality))));
  return formatTable([['quality at k =', ...ks.map(String)], ...rows, ['mean of these', ...means]]);
}

const MULTI_TURN: readonly (readonly [string, (point: CurvePoint) => string])[] = [
  ['first turn', (p) => withInterval(p.firstTurn, p.intervals.firstTurn)],
  ['first turn solved', (p) => percent(p.firstTurnSolved)],
  ['return', (p) => percent(p.totalReturn)],
];

const withInterval = (value: number, interval: Interval | null, text: (value: number) => string = percent): string =>
  interval === null ? text(value) : `${text(value)} [${text(interval[0])}, ${text(interval[1])}]`;

const formatLevels = ({ levels }: Curve): string =>
  Object.entries(levels)
    .map(([name, level]) => `${name}: ${percent(level)}`)
    .join(', ');
