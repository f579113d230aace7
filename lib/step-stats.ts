// What a step leaves in metrics.jsonl.
import type { TaskBuffer } from './curriculum/buffer.ts';
import type { Coverage } from './curriculum/coverage.ts';
import { known, mean, variance } from './statistics.ts';
import type { Attempt, Group, PolicyUpdate, StepStats } from './types.ts';

const qualities = (groups: readonly Group[]): number[] =>
  groups.flatMap(({ attempts }) => attempts.filter((a): a is Attempt => a !== null).map(({ quality }) => quality));

const meanOrNull = (values: readonly number[]): number | null => (values.length === 0 ? null : mean(values));

/** What has been trained on since the first step. */
export const coverageStats = ({ instances, starts }: Coverage): StepStats => ({
  trainedInstances: instances,
  trainedStarts: starts,
});

/** Statistics of one step; null where there was nothing to average. */
export function stepStats(
  step: number,
  groups: readonly Group[],
  update: PolicyUpdate,
  buffer: TaskBuffer,
  coverage: Coverage,
): StepStats {
  const { train, optimizer, lr } = update;
  const attempts = groups.reduce((n, group) => n + group.attempts.length, 0);
  const base = groups.filter(({ task }) => task.mode === 'base');
  const diverge = groups.filter(({ task }) => task.mode === 'diverge');
  const improve = groups.filter(({ task }) => task.mode === 'improve');
  const gains = improve.flatMap((group) => qualities([group]).map((quality) => quality - group.task.previous!.quality));
  const flat = groups.filter(({ rewards }) => variance(known(rewards)) === 0).length;
  const replayed = groups.filter(({ task }) => task.entry !== null);
  const { facts } = buffer;
  return {
    step: step + 1,
    reward: meanOrNull(groups.flatMap(({ rewards }) => known(rewards))),
    quality: meanOrNull(qualities(groups)),
    qualityBase: meanOrNull(qualities(base)),
    qualityImprove: meanOrNull(qualities(improve)),
    qualityDiverge: meanOrNull(qualities(diverge)),
    improvement: meanOrNull(gains),
    invalid: groups.reduce((n, group) => n + group.invalid, 0) / attempts,
    unjudged: groups.reduce((n, { failures }) => n + failures.length, 0),
    zeroVariance: flat / groups.length,
    depth: mean(groups.map(({ task }) => task.depth)),
    depthMax: Math.max(...groups.map(({ task }) => task.depth)),
    startTurn: mean(groups.map(({ task }) => task.history.length)),
    replayed: replayed.length / groups.length,
    replayedBorn: meanOrNull(known(replayed.map(({ task }) => task.born))),
    instances: new Set(groups.map(({ task }) => task.instance)).size,
    ...coverageStats(coverage),
    bufferSize: buffer.size,
    bufferInstances: facts.instances,
    bufferScore: facts.meanScore,
    bufferScoreMin: buffer.minScore,
    bufferScoreMax: facts.maxScore,
    ...Object.fromEntries(facts.histogram.map((entries, bin) => [`bufferScoreBin${bin}`, entries])),
    bufferDepth: facts.meanDepth,
    bufferAge: facts.meanBorn === null ? null : step - facts.meanBorn,
    tokens: train.tokens,
    sampledTokens: groups.reduce((n, { lengths }) => n + lengths.reduce((sum, length) => sum + length, 0), 0),
    loss: train.loss,
    entropy: train.entropy,
    klK3: train.klK3,
    refKlK3: train.refKlK3,
    clipped: train.clippedLow + train.clippedHigh,
    ratioMin: train.ratioMin,
    ratioMax: train.ratioMax,
    mismatch: train.mismatch,
    gradNorm: optimizer.gradNorm,
    lr,
  };
}
