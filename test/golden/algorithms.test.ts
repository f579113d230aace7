// The reference cases that bear an algorithm's name, through that algorithm's own file: its advantages and its loss.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LOSS } from '../../lib/algorithms/algorithm.ts';
import { ALGORITHMS, type AlgorithmName } from '../../lib/algorithms/registry.ts';
import { folder } from '../support/golden.ts';
import { lossSettings, type PolicySettings } from '../support/policy-settings.ts';

const { cases, tally, file } = folder<{ settings: PolicySettings & { beta_reward: number } }>('policy', {
  title: 'golden/policy through the algorithm files',
});
const EXACT = { atol: 1e-12, rel_l2_tol: 1e-12 };

/** Settings that the algorithm's loss does not read, or that differ by intent. */
const OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  cispo: ['clipHigh'], // its bounds are cispoLow and cispoHigh
  reinforce: ['loss'], // plain -A log pi; the reference case has a surrogate that is the same on policy
};

for (const [name, { settings }] of cases) {
  const algorithm = ALGORITHMS[name as AlgorithmName];
  if (algorithm === undefined) continue;

  test(`${name}: its file sets the loss of the reference`, () => {
    const own = { ...DEFAULT_LOSS, ...algorithm.loss };
    // What a user chooses, not the algorithm.
    const { klWeight, kl, klCorrected, entropyWeight, normaliser, temperature, ...wanted } = lossSettings(settings);
    for (const [key, value] of Object.entries(wanted))
      if (!OTHERWISE[name]?.includes(key)) assert.equal(own[key as keyof typeof own], value, key);
    tally.cases++;
  });

  test(`${name}: its file estimates the advantages of the reference`, (t) => {
    const expected = file(name);
    const [mask, offsets, ids] = [expected.ints('loss_mask'), expected.ints('cu_seqlens'), expected.ints('group_id')];
    if (expected.has('ref_logprob') && settings.loss_type === 'rloo' && settings.beta !== 0)
      return t.skip('the reference takes the KL penalty from the reward');
    if (settings.beta_reward !== 0) return t.skip('a KL penalty per token in the reward is not offered');
    const rewards = expected.numbers('rewards');
    const groups: { rewards: number[]; lengths: number[] }[] = [];
    for (let s = 0; s < ids.length; s++) {
      if (s === 0 || ids[s] !== ids[s - 1]) groups.push({ rewards: [], lengths: [] });
      groups.at(-1)!.rewards.push(rewards[s]!);
      groups.at(-1)!.lengths.push(mask.slice(offsets[s]!, offsets[s + 1]!).reduce((n, m) => n + m, 0));
    }
    const own = algorithm.advantages(groups).flat();
    const tokens = new Float64Array(mask.length);
    for (let s = 0; s < ids.length; s++)
      for (let i = offsets[s]!; i < offsets[s + 1]!; i++) tokens[i] = mask[i] ? own[s]! : 0;
    tally.close(name, tokens, expected.numbers('advantages'), EXACT);
    tally.cases++;
  });
}
