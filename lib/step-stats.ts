// What a step leaves in metrics.jsonl.
import type { TaskBuffer } from './curriculum/buffer.ts';
import type { Coverage } from './curriculum/coverage.ts';
import { known, variance } from './statistics.ts';
import type { Group, Mode, PolicyUpdate, StepStats } from './types.ts';

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
  const [reward, quality, gain, depth, startTurn, born] = Array.from({ length: 6 }, () => new Mean());
  const byMode: Readonly<Record<Mode, Mean>> = { base: new Mean(), improve: new Mean(), diverge: new Mean() };
  const counts = { attempts: 0, invalid: 0, failures: 0, flat: 0, replayed: 0, sampledTokens: 0 };
  const instances = new Set<number>();
  let deepest = 0;
  for (const { task, attempts, rewards, lengths, invalid, failures } of groups) {
    for (const attempt of attempts) {
      if (attempt === null) continue;
      quality!.add(attempt.quality);
      byMode[task.mode].add(attempt.quality);
      if (task.mode === 'improve') gain!.add(attempt.quality - task.previous!.quality);
    }
    for (const value of rewards) if (value !== null) reward!.add(value);
    for (const length of lengths) counts.sampledTokens += length;
    counts.attempts += attempts.length;
    counts.invalid += invalid;
    counts.failures += failures.length;
    if (variance(known(rewards)) === 0) counts.flat++;
    if (task.entry !== null) counts.replayed++;
    if (task.born !== null) born!.add(task.born);
    depth!.add(task.depth);
    deepest = Math.max(deepest, task.depth);
    startTurn!.add(task.history.length);
    instances.add(task.instance);
  }
  const { facts } = buffer;
  return {
    step: step + 1,
    reward: reward!.value,
    quality: quality!.value,
    qualityBase: byMode.base.value,
    qualityImprove: byMode.improve.value,
    qualityDiverge: byMode.diverge.value,
    improvement: gain!.value,
    invalid: counts.invalid / counts.attempts,
    unjudged: counts.failures,
    zeroVariance: counts.flat / groups.length,
    depth: depth!.value,
    depthMax: deepest,
    startTurn: startTurn!.value,
    replayed: counts.replayed / groups.length,
    replayedBorn: born!.value,
    instances: instances.size,
    ...coverageStats(coverage),
    bufferSize: buffer.size,
    bufferInstances: facts.instances,
    bufferScore: facts.meanScore,
    bufferScoreMin: buffer.minScore,
    bufferScoreMax: facts.maxScore,
    ...histogramStats(facts.histogram),
    bufferDepth: facts.meanDepth,
    bufferAge: facts.meanBorn === null ? null : step - facts.meanBorn,
    tokens: train.tokens,
    sampledTokens: counts.sampledTokens,
    loss: train.loss,
    entropy: train.entropy,
    klK3: train.klK3,
    refKlK3: train.refKlK3,
    clipped: train.clippedLow + train.clippedHigh,
    ratioMin: train.ratioMin,
    ratioMax: train.ratioMax,
    mismatch: train.mismatch,
    mismatchMean: train.mismatchMean,
    mismatchK3: train.mismatchK3,
    gradNorm: optimizer.gradNorm,
    lr,
  };
}

const histogramStats = (histogram: readonly number[]): StepStats =>
  Object.fromEntries(histogram.map((entries, bin) => [`bufferScoreBin${bin}`, entries]));

/** Mean of what is added; null for nothing. */
class Mean {
  #sum = 0;
  #count = 0;

  add(value: number): void {
    this.#sum += value;
    this.#count++;
  }

  get value(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }
}
