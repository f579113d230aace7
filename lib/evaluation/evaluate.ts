// Held-out quality after k steps of self-iteration. k may exceed any depth seen in training.
import type { Environment } from '../environments/environment.ts';
import type { Addon, NativeModel } from '../native/addon.ts';
import { deriveSeed, Random } from '../rng.ts';
import { reviseBelow, type StepSampling } from '../rollout/self-iterate.ts';
import { bootstrapMeans, type Interval } from './bootstrap.ts';
import { type EpisodeOutcome, playEpisodes } from './episodes.ts';
import { comparePoint, type Comparison } from './point.ts';
import { type EvaluationSampling, PLAIN } from './sampling.ts';

export interface EvaluationSettings extends Partial<EvaluationSampling> {
  /** Values of k to report. */
  readonly k: readonly number[];
  /** Held-out instances, at most as many as there are. */
  readonly instances: number;
  /** Episodes per instance with different random numbers (the n of avg@n); their results are averaged. Default 1. */
  readonly samples?: number;
  /** 0: greedy. */
  readonly temperature: number;
  readonly seed: number;
  /**
   * Revise selectively: only answers whose mean log-probability per token (nats) when they were sampled is below this.
   * Null, the default: always revise.
   */
  readonly reviseBelow?: number | null;
}

/**
 * The episodes in which every turn had k steps of self-iteration. "Right" is an episode of quality 1; differences and
 * corrections are to the same episode with k = 0. Episodes that could not be judged are left out of the means.
 */
export interface CurvePoint {
  readonly k: number;
  /** quality@k: mean quality of the answers that stand at the end: what counts. */
  readonly quality: number;
  /** Standard error of that mean over instances. */
  readonly error: number;
  /** quality@k - quality@0. */
  readonly delta: number;
  /** Mean quality of the best answers so far. */
  readonly best: number;
  /** acc@k: share of right episodes. */
  readonly solved: number;
  /** Episodes that went from wrong to right, from right to wrong, and the difference. */
  readonly wrongToRight: number;
  readonly rightToWrong: number;
  readonly netCorrections: number;
  /** Answer that stands in the first turn: mean quality, and share of quality 1. In one turn: quality and solved. */
  readonly firstTurn: number;
  readonly firstTurnSolved: number;
  /** Sum over turns of the qualities; where only the last answer of an episode counts, that one's. */
  readonly totalReturn: number;
  /** Revisions made per turn: k unless answers are revised selectively. */
  readonly revisions: number;
  /** Episodes the verifier could not judge. */
  readonly unjudged: number;
  /** 95 % bootstrap intervals over instances; null for fewer than two. */
  readonly intervals: Readonly<
    Record<'quality' | 'delta' | 'best' | 'solved' | 'netCorrections' | 'firstTurn', Interval | null>
  >;
}

/** The points of one data set or kind of instances. */
export interface PartCurve {
  readonly instances: number;
  readonly points: readonly Omit<CurvePoint, 'intervals'>[];
}

export interface Curve extends EvaluationSettings {
  readonly samples: number;
  readonly reviseBelow: number | null;
  readonly turns: number;
  readonly levels: Readonly<Record<string, number>>;
  readonly points: readonly CurvePoint[];
  /** By name, where the instances are of several parts (`Environment.part`). */
  readonly parts?: Readonly<Record<string, PartCurve>>;
}

/** How much is sampled at a time: memory and speed, not results. */
export type SamplingLimits = Pick<StepSampling, 'maxRunning' | 'prefillTokens'>;
const LIMITS: SamplingLimits = { maxRunning: 256, prefillTokens: 2048 };

/** Plays the first `instances` held-out instances with every k. The same settings give the same numbers. */
export async function evaluate(
  addon: Pick<Addon, 'release'>,
  model: NativeModel,
  environment: Environment,
  settings: EvaluationSettings,
  { maxRunning, prefillTokens }: SamplingLimits = LIMITS,
): Promise<Curve> {
  const { samples = 1, temperature, seed } = settings;
  const { topK, topP, minP, repetitionPenalty, stopTokens } = { ...PLAIN, ...settings };
  const threshold = settings.reviseBelow ?? null;
  const wanted = [...new Set(settings.k)].sort((a, b) => a - b);
  const ks = [...new Set([0, ...wanted])]; // the differences need k = 0
  const how = { temperature, topK, topP, minP, repetitionPenalty, stopTokens };
  const sampling = { ...how, maxRunning, pages: 0, prefillTokens };
  const held = environment.sizes?.held_out ?? Number.POSITIVE_INFINITY;
  const instances = Math.min(settings.instances, held);
  const tasks = Array.from({ length: instances }, (_, i) => environment.task(i, 'held_out'));
  const rows = tasks.flatMap((instance) => Array<unknown>(samples).fill(instance));
  const parts = partsOf(environment, tasks);
  const episodes = playEpisodes(model, addon.release, environment, rows, ks, {
    sampling: { ...sampling, seed: deriveSeed(seed, 'evaluation') },
    shouldRevise: threshold === null ? () => true : reviseBelow(threshold),
  });
  const counted = environment.episodeQuality === 'last' ? 1 : environment.turns;
  const comparisons: Comparison[] = [];
  let first: readonly EpisodeOutcome[] | null = null;
  for await (const { k, outcomes } of episodes) {
    first ??= outcomes;
    if (!wanted.includes(k)) continue;
    const [all, start] = [outcomes, first];
    comparisons.push(comparePoint(k, all, start, samples, counted));
    for (const { members, points: own } of parts.values()) {
      const ofPart = (list: readonly EpisodeOutcome[]): EpisodeOutcome[] =>
        members.flatMap((i) => list.slice(i * samples, (i + 1) * samples));
      own.push(comparePoint(k, ofPart(all), ofPart(start), samples, counted).point);
    }
  }
  const points = withIntervals(comparisons, instances, new Random(seed, 'bootstrap'));
  return {
    ...settings,
    instances,
    samples,
    reviseBelow: threshold,
    turns: environment.turns,
    levels: environment.levels,
    points,
    ...(parts.size < 2 ? {} : { parts: shownParts(parts) }),
  };
}

interface Part {
  /** Instances, by their numbers. */
  readonly members: number[];
  readonly points: Omit<CurvePoint, 'intervals'>[];
}

function partsOf(environment: Environment, tasks: readonly unknown[]): Map<string, Part> {
  const parts = new Map<string, Part>();
  for (const [i, task] of tasks.entries()) {
    const name = environment.part?.(task);
    if (name === undefined) continue;
    const part = parts.get(name) ?? { members: [], points: [] };
    part.members.push(i);
    parts.set(name, part);
  }
  return parts;
}

const shownParts = (parts: ReadonlyMap<string, Part>): Curve['parts'] & object =>
  Object.fromEntries(
    Array.from(parts, ([name, { members, points }]): [string, PartCurve] => [
      name,
      { instances: members.length, points },
    ]).sort(([a], [b]) => (a < b ? -1 : 1)),
  );

/** All points share their resamples, as they share their instances. */
function withIntervals(comparisons: readonly Comparison[], instances: number, random: Random): CurvePoint[] {
  const names = ['quality', 'delta', 'best', 'solved', 'netCorrections', 'firstTurn'] as const;
  const bounds = bootstrapMeans(
    comparisons.flatMap(({ byInstance }) => names.map((name) => byInstance[name])),
    random,
  );
  return comparisons.map(({ point }, c) => {
    const own = Object.fromEntries(names.map((name, i) => [name, bounds[c * names.length + i]!]));
    const intervals = own as CurvePoint['intervals'];
    const { netCorrections: net } = intervals;
    // A sum over instances, not a mean.
    return {
      ...point,
      intervals: { ...intervals, netCorrections: net && [net[0] * instances, net[1] * instances] },
    };
  });
}
