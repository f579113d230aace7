// A study as a Markdown table.
import type { EnvironmentSummary, StageSummary } from './aggregate.ts';
import type { Estimate } from './interval.ts';

const DELTA_K = 16;

/** One line per environment and strategy, padded to be read as plain text, too. */
export function formatStudy(summaries: readonly EnvironmentSummary[]): string {
  const [any] = summaries;
  if (any === undefined) return '';
  const ks = Object.values(any.stages)[0]!.points.map(({ k }) => k);
  const last = ks.includes(DELTA_K) ? DELTA_K : Math.max(...ks);
  const tellsSampled = summaries.some(({ stages }) =>
    Object.values(stages).some((stage) => stage.sampledTokens !== null),
  );
  const header = [
    'environment',
    'strategy',
    ...ks.map((k) => `k = ${k}`),
    `delta at ${last}`,
    `net corrections at ${last}`,
    'tokens trained on',
    ...(tellsSampled ? ['tokens sampled'] : []),
  ];
  const rows = summaries.flatMap(({ environment, stages }) =>
    Object.entries(stages).map(([name, stage]) => [
      environment,
      name,
      ...stage.points.map(({ quality }) => withHalfWidth(quality, 3)),
      withHalfWidth(pointAt(stage, last).delta, 3),
      withHalfWidth(pointAt(stage, last).netCorrections, 0),
      tokens(stage.trainedTokens),
      ...(tellsSampled ? [tokens(stage.sampledTokens)] : []),
    ]),
  );
  const notes = summaries.map(({ environment, seeds, instances, levels }) => {
    const compare = Object.entries(levels).map(([name, level]) => `${name} ${level.toFixed(3)}`);
    return `${environment}: ${seeds.length} seeds, ${instances} held-out instances each; ${compare.join(', ')}.`;
  });
  return [
    ...markdownTable(header, rows),
    '',
    'Held-out quality after k steps of self-iteration: mean over seeds ± half of the 95 % t interval.',
    'Net corrections: wrong to right less right to wrong since the first answer, per run. Tokens: of completions, without prompts',
    'and without the warm-up, which the strategies of a seed share.',
    ...notes,
    '',
  ].join('\n');
}

const pointAt = ({ points }: StageSummary, k: number): StageSummary['points'][number] =>
  points.find((point) => point.k === k)!;

const tokens = (total: Estimate | null): string =>
  total === null ? '' : Math.round(total.mean).toLocaleString('en-US');

function withHalfWidth({ mean, interval }: Estimate, digits: number): string {
  const text = mean.toFixed(digits);
  return interval === null ? text : `${text} ± ${((interval[1] - interval[0]) / 2).toFixed(digits)}`;
}

function markdownTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const pad = (cell: string, i: number): string => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  const line = (cells: readonly string[]): string => `| ${cells.map(pad).join(' | ')} |`;
  const rule = widths.map((width, i) => (i < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(header), line(rule), ...rows.map(line)];
}
