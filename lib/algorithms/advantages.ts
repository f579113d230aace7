// Advantage estimators. Attempts with an unknown reward take no part in means and deviations and get advantage 0.
import { known, mean, sampleDeviation, variance } from '../statistics.ts';
import type { RewardGroup } from './algorithm.ts';

/** Added to standard deviations, so that groups without variance give 0 and nearly constant ones stay finite. */
const EPSILON = 1e-4;

type Groups = readonly RewardGroup[];

const perGroup = (groups: Groups, estimate: (rewards: readonly number[]) => (reward: number) => number): number[][] =>
  groups.map(({ rewards }) => {
    const advantage = estimate(known(rewards));
    return rewards.map((reward) => (reward === null ? 0 : advantage(reward)));
  });

/** r - mean of the group. */
export const groupMean = (groups: Groups): number[][] =>
  perGroup(groups, (rewards) => {
    const centre = mean(rewards);
    return (reward) => (rewards.length < 2 ? 0 : reward - centre);
  });

/** (r - group mean) / (group deviation + 1e-4); the deviation has n - 1 unless `population` is asked for. */
export const groupStd = (groups: Groups, kind: 'sample' | 'population' = 'sample'): number[][] =>
  perGroup(groups, (rewards) => {
    const centre = mean(rewards);
    const deviation = kind === 'sample' ? sampleDeviation(rewards) : Math.sqrt(variance(rewards));
    return (reward) => (rewards.length < 2 ? 0 : (reward - centre) / (deviation + EPSILON));
  });

/** (r - group mean) / (deviation of all rewards of the batch + 1e-4). */
export const batchStd = (groups: Groups): number[][] => {
  const deviation = sampleDeviation(groups.flatMap(({ rewards }) => known(rewards)));
  return groupMean(groups).map((advantages) => advantages.map((advantage) => advantage / (deviation + EPSILON)));
};

/** (r - mean) / mean of the group; 0 where the mean is 0. */
export const relativeToMean = (groups: Groups): number[][] =>
  perGroup(groups, (rewards) => {
    const centre = mean(rewards);
    return (reward) => (rewards.length < 2 || centre <= 0 ? 0 : (reward - centre) / centre);
  });

/** r - mean of the other rewards of the group. */
export const leaveOneOut = (groups: Groups): number[][] =>
  perGroup(groups, (rewards) => {
    const n = rewards.length;
    const sum = mean(rewards) * n;
    return (reward) => (n < 2 ? 0 : reward - (sum - reward) / (n - 1));
  });

/** Leave-one-out advantages, made mean 0 and deviation 1 over the batch. */
export const leaveOneOutNormalised = (groups: Groups): number[][] => {
  const raw = leaveOneOut(groups);
  const all = onlyKnown(groups, raw);
  const centre = mean(all);
  const deviation = sampleDeviation(all) + EPSILON;
  return mapKnown(groups, raw, (advantage) => (advantage - centre) / deviation);
};

/** Made mean 0 and variance 1 over all trained tokens of the batch: long attempts weigh more. */
export function overTokens(groups: Groups, raw: readonly (readonly number[])[]): number[][] {
  let tokens = 0;
  let sum = 0;
  let squares = 0;
  groups.forEach(({ rewards, lengths }, g) => {
    rewards.forEach((reward, i) => {
      if (reward === null) return;
      tokens += lengths[i]!;
      sum += lengths[i]! * raw[g]![i]!;
    });
  });
  const centre = tokens === 0 ? 0 : sum / tokens;
  groups.forEach(({ rewards, lengths }, g) => {
    rewards.forEach((reward, i) => {
      if (reward !== null) squares += lengths[i]! * (raw[g]![i]! - centre) ** 2;
    });
  });
  const deviation = Math.sqrt(Math.max(tokens === 0 ? 0 : squares / tokens, 1e-8));
  return mapKnown(groups, raw, (advantage) => (advantage - centre) / deviation);
}

const onlyKnown = (groups: Groups, values: readonly (readonly number[])[]): number[] =>
  groups.flatMap(({ rewards }, g) => values[g]!.filter((_, i) => rewards[i] !== null));

const mapKnown = (
  groups: Groups,
  values: readonly (readonly number[])[],
  change: (value: number) => number,
): number[][] =>
  groups.map(({ rewards }, g) => values[g]!.map((value, i) => (rewards[i] === null ? 0 : change(value))));
