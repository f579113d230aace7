// From runs to means over seeds. Pure: the same records give the same numbers.
import type { CurvePoint } from '../evaluation/evaluate.ts';
import { mean } from '../statistics.ts';
import type { StepStats } from '../types.ts';
import type { RunRecord } from './collect.ts';
import { type Estimate, estimate } from './interval.ts';

const MEASURED = [
  ...(['quality', 'solved', 'delta', 'best', 'wrongToRight', 'rightToWrong', 'netCorrections'] as const),
  ...(['firstTurn', 'totalReturn'] as const),
] as const;

/** Means over seeds after k steps of self-iteration; meanings as in CurvePoint. */
export type PointSummary = { readonly k: number } & Readonly<Record<(typeof MEASURED)[number], Estimate>>;

/** A statistic of training at some step: means over seeds. */
export interface TrainingPoint {
  readonly step: number;
  /** Trained tokens up to this step. */
  readonly tokens: number;
  readonly value: Estimate;
}

export interface StageSummary {
  readonly points: readonly PointSummary[];
  /** Completion tokens trained on (each once, however many epochs); null for the warm-up. */
  readonly trainedTokens: Estimate | null;
  /** Completion tokens sampled for training; null where the metrics do not tell it from those trained on. */
  readonly sampledTokens: Estimate | null;
  /** Training curves by statistic. */
  readonly training: Readonly<Record<string, readonly TrainingPoint[]>>;
}

export interface EnvironmentSummary {
  readonly environment: string;
  readonly seeds: readonly number[];
  /** Held-out instances of every final curve. */
  readonly instances: number;
  readonly levels: Readonly<Record<string, number>>;
  /** `warm-up`, where there is one, then the strategies. */
  readonly stages: Readonly<Record<string, StageSummary>>;
}

/** Statistics of metrics.jsonl that tell how the curriculum works. Those a strategy does not have are left out. */
export const CURRICULUM = [
  ...(['depth', 'bufferSize', 'bufferScore', 'zeroVariance'] as const),
  ...(['trainedInstances', 'trainedStarts'] as const),
] as const;

/** More points than this are averaged in bins: a drawing has no more pixels, and noise hides the trend. */
const MOST_POINTS = 40;

/** Summarises the runs of one environment. */
export function summarise(records: readonly RunRecord[]): EnvironmentSummary {
  const [any] = records;
  if (any === undefined) throw new RangeError('nothing to summarise');
  const stages = Object.keys(any.curves).map((stage) => [stage, summariseStage(records, stage)]);
  const { instances, levels } = Object.values(any.curves)[0]!;
  return {
    environment: any.environment,
    seeds: records.map(({ seed }) => seed),
    instances,
    levels,
    stages: Object.fromEntries(stages),
  };
}

function summariseStage(records: readonly RunRecord[], stage: string): StageSummary {
  const curves = records.map((record) => record.curves[stage]!.points);
  const points = curves[0]!.map((first, i): PointSummary => {
    const over = (name: (typeof MEASURED)[number]): Estimate =>
      estimate(curves.map((curve): number => (curve[i] as CurvePoint)[name]));
    return {
      k: first.k,
      ...(Object.fromEntries(MEASURED.map((name) => [name, over(name)])) as Omit<PointSummary, 'k'>),
    };
  });
  const metrics = records.map((record) => record.metrics[stage] ?? []);
  if (metrics.every((lines) => lines.length === 0)) {
    return { points, trainedTokens: null, sampledTokens: null, training: {} };
  }
  const total = (name: string): Estimate => estimate(metrics.map((lines) => sum(lines.map((line) => line[name] ?? 0))));
  const tellsSampled = metrics.every((lines) => lines.some((line) => typeof line['sampledTokens'] === 'number'));
  const names = new Set(metrics.flatMap((lines) => lines.flatMap((line) => Object.keys(line))));
  const drawn = [...names].filter((name) => name.startsWith('quality@') || CURRICULUM.some((other) => other === name));
  return {
    points,
    trainedTokens: total('tokens'),
    sampledTokens: tellsSampled ? total('sampledTokens') : null,
    training: Object.fromEntries(drawn.map((name) => [name, trainingCurve(metrics, name)])),
  };
}

/** One statistic over the steps where every seed has it, averaged over seeds and, where there are many steps, in bins. */
export function trainingCurve(metrics: readonly (readonly StepStats[])[], name: string): TrainingPoint[] {
  const bySeed = metrics.map((lines) => {
    let tokens = 0;
    const values = new Map<number, { tokens: number; value: number }>();
    for (const line of lines) {
      tokens += line['tokens'] ?? 0;
      const value = line[name];
      if (typeof value === 'number') values.set(line['step']!, { tokens, value });
    }
    return values;
  });
  const steps = [...(bySeed[0]?.keys() ?? [])].filter((step) => bySeed.every((values) => values.has(step)));
  const size = Math.ceil(steps.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(steps.length / Math.max(1, size)) }, (_, bin) => {
    const own = steps.slice(bin * size, (bin + 1) * size);
    const over = (values: (typeof bySeed)[number], key: 'tokens' | 'value'): number =>
      mean(own.map((step) => values.get(step)![key]));
    return {
      step: mean(own),
      tokens: mean(bySeed.map((values) => over(values, 'tokens'))),
      value: estimate(bySeed.map((values) => over(values, 'value'))),
    };
  });
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
