// Advantage estimators on many reward groups, equal and ragged, and on the batches of the loss variants.
import { test } from 'node:test';
import {
  batchStd,
  groupMean,
  groupStd,
  leaveOneOut,
  leaveOneOutNormalised,
  overTokens,
} from '../../lib/algorithms/advantages.ts';
import type { RewardGroup } from '../../lib/algorithms/algorithm.ts';
import { folder } from '../support/golden.ts';
import type { TensorFile } from '../support/safetensors.ts';

interface Settings {
  readonly advantage: string;
  readonly loss_type: string;
  readonly beta: number;
  readonly beta_reward: number;
}

interface Table {
  readonly advantage_table?: { readonly file: string };
}

const { manifest, cases, tally, file } = folder<{ settings: Settings }, Table>('policy', {
  title: 'golden/policy advantages',
});

// Both sides are doubles; the order of a sum is all that may differ.
const EXACT = { atol: 1e-12, rel_l2_tol: 1e-12 };

type Estimator = (groups: readonly RewardGroup[]) => number[][];
const ESTIMATORS: Readonly<Record<string, Estimator>> = {
  group_std: (groups) => groupStd(groups),
  group_std_population: (groups) => groupStd(groups, 'population'),
  group_mean: groupMean,
  batch_std: batchStd,
  rloo: leaveOneOut,
  rloo_normalised: leaveOneOutNormalised,
  reinforce_pp: (groups) =>
    overTokens(
      groups,
      groups.map(({ rewards }) => rewards.map((r) => r ?? 0)),
    ),
  reinforce_pp_baseline: (groups) => overTokens(groups, groupMean(groups)),
};

/** Rows of one id after another become a group. */
function grouped(ids: ArrayLike<number>, rewards: ArrayLike<number>, lengths: ArrayLike<number>): RewardGroup[] {
  const groups: { rewards: number[]; lengths: number[] }[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (i === 0 || ids[i] !== ids[i - 1]) groups.push({ rewards: [], lengths: [] });
    groups.at(-1)!.rewards.push(rewards[i]!);
    groups.at(-1)!.lengths.push(lengths[i]!);
  }
  return groups;
}

const ones = (n: number): number[] => new Array<number>(n).fill(1);

if (manifest.advantage_table) {
  const expected = file(manifest.advantage_table.file.replace(/\.safetensors$/, ''));
  const [rows, width] = expected.get('rewards').shape as [number, number];
  const ids = Array.from({ length: rows * width }, (_, i) => Math.floor(i / width));
  const equal = grouped(ids, expected.numbers('rewards'), ones(ids.length));
  const raggedIds = expected.ints('ragged.group_id');
  const ragged = grouped(raggedIds, expected.numbers('ragged.rewards'), ones(raggedIds.length));
  for (const [name, estimate] of Object.entries(ESTIMATORS)) {
    for (const [prefix, groups] of [
      ['', equal],
      ['ragged.', ragged],
    ] as const) {
      if (!expected.has(prefix + name)) continue;
      test(`advantages ${prefix}${name}`, () => {
        tally.close(prefix + name, estimate(groups).flat(), expected.numbers(prefix + name), EXACT);
        tally.cases++;
      });
    }
  }
}

/** Per sequence: trained tokens, and the sum of (old - ref) over them. */
function sequences(expected: TensorFile): { lengths: number[]; divergence: number[] } {
  const [mask, offsets] = [expected.ints('loss_mask'), expected.ints('cu_seqlens')];
  const has = expected.has('old_logprob') && expected.has('ref_logprob');
  const [old, ref] = has ? [expected.numbers('old_logprob'), expected.numbers('ref_logprob')] : [[], []];
  const lengths: number[] = [];
  const divergence: number[] = [];
  for (let s = 0; s + 1 < offsets.length; s++) {
    let [tokens, sum] = [0, 0];
    for (let i = offsets[s]!; i < offsets[s + 1]!; i++) {
      if (!mask[i]) continue;
      tokens++;
      if (has) sum += old[i]! - ref[i]!;
    }
    lengths.push(tokens);
    divergence.push(sum);
  }
  return { lengths, divergence };
}

for (const [name, { settings }] of cases) {
  const estimate = ESTIMATORS[settings.advantage];
  // A KL penalty per token in the reward is not one number per sequence; the loop does not offer it.
  if (!estimate || settings.beta_reward !== 0) continue;
  test(`advantages of ${name} (${settings.advantage})`, () => {
    const expected = file(name);
    const { lengths, divergence } = sequences(expected);
    const beta = settings.loss_type === 'rloo' ? settings.beta : 0;
    const rewards = expected.numbers('rewards').map((r, s) => r - beta * divergence[s]!);
    const own = estimate(grouped(expected.ints('group_id'), rewards, lengths)).flat();
    // Compared per trained token, as the loss gets them.
    const [mask, offsets] = [expected.ints('loss_mask'), expected.ints('cu_seqlens')];
    const tokens = new Float64Array(mask.length);
    for (let s = 0; s + 1 < offsets.length; s++) {
      for (let i = offsets[s]!; i < offsets[s + 1]!; i++) tokens[i] = mask[i] ? own[s]! : 0;
    }
    tally.close(name, tokens, expected.numbers('advantages'), EXACT);
    tally.cases++;
  });
}
