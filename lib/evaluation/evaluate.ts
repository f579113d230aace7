// Held-out quality after k steps of self-iteration. k may exceed any depth seen in training.
import type { Environment } from '../environments/environment.ts';
import type { Addon, NativeModel } from '../native/addon.ts';
import { deriveSeed } from '../rng.ts';
import { selfIterate } from '../rollout/self-iterate.ts';
import { known, mean, sampleDeviation } from '../statistics.ts';
import type { Attempt } from '../types.ts';

export interface EvaluationSettings {
  /** Values of k to report. */
  readonly k: readonly number[];
  readonly instances: number;
  /** 0: greedy. */
  readonly temperature: number;
  readonly seed: number;
}

/** The attempts after k steps of self-iteration. */
export interface CurvePoint {
  readonly k: number;
  /** Mean quality of the latest attempt: what counts. */
  readonly quality: number;
  /** Standard error of that mean. */
  readonly error: number;
  /** Mean quality of the best attempt so far. */
  readonly best: number;
  /** Share of attempts with quality 1. */
  readonly solved: number;
  /** Instances that went from wrong to right since the first attempt, less those from right to wrong. */
  readonly netCorrections: number;
  /** Attempts the verifier could not judge; left out of the means. */
  readonly unjudged: number;
}

export interface Curve extends EvaluationSettings {
  readonly levels: Readonly<Record<string, number>>;
  readonly points: readonly CurvePoint[];
}

/** Runs max(k) rounds over the first `instances` held-out instances. The same settings give the same numbers. */
export async function evaluate(
  addon: Pick<Addon, 'release'>,
  model: NativeModel,
  environment: Environment,
  settings: EvaluationSettings,
): Promise<Curve> {
  const instances = Array.from({ length: settings.instances }, (_, i) => environment.task(i, 'held_out'));
  const rounds = selfIterate(model, addon.release, environment, instances, Math.max(...settings.k), {
    temperature: settings.temperature,
    topK: 0,
    topP: 1,
    minP: 0,
    maxRunning: 256,
    pages: 0,
    prefillTokens: 2048,
    seed: deriveSeed(settings.seed, 'evaluation'),
  });
  const best = instances.map(() => 0);
  const points: CurvePoint[] = [];
  let first: readonly (Attempt | null)[] | null = null;
  let k = 0;
  for await (const round of rounds) {
    first ??= round;
    for (const [i, attempt] of round.entries()) best[i] = Math.max(best[i]!, attempt?.quality ?? 0);
    if (settings.k.includes(k)) points.push(curvePoint(k, round, best, first));
    k++;
  }
  return { ...settings, levels: environment.levels, points };
}

type Round = readonly (Attempt | null)[];
const isRight = (attempt: Attempt | null | undefined): number => (attempt?.quality === 1 ? 1 : 0);

function curvePoint(k: number, round: Round, best: readonly number[], first: Round): CurvePoint {
  const qualities = known(round.map((attempt) => attempt?.quality ?? null));
  return {
    k,
    quality: mean(qualities),
    error: sampleDeviation(qualities) / Math.sqrt(Math.max(1, qualities.length)),
    best: mean(best),
    solved: mean(qualities.map((quality) => (quality === 1 ? 1 : 0))),
    netCorrections: round.reduce((n, attempt, i) => (attempt ? n + isRight(attempt) - isRight(first[i]) : n), 0),
    unjudged: round.length - qualities.length,
  };
}
