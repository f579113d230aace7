// What every algorithm must keep. Reads the registry: a new algorithm is tested the moment it is listed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RewardGroup } from '../../lib/algorithms/algorithm.ts';
import { ALGORITHMS, type AlgorithmName } from '../../lib/algorithms/registry.ts';
import { parseConfig } from '../../lib/config/load.ts';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { Coverage } from '../../lib/curriculum/coverage.ts';
import { STRATEGIES } from '../../lib/curriculum/strategies.ts';
import { createEnvironment } from '../../lib/environments/create.ts';
import { train } from '../../lib/loop.ts';
import { openModel } from '../../lib/model.ts';
import { addon } from '../support/addon.ts';

const group = (rewards: readonly (number | null)[]): RewardGroup => ({
  rewards,
  lengths: rewards.map((_, i) => i + 1),
});
const GROUPS = [group([0, 1, 1, 0.5]), group([0.2, null, 0.4]), group([1, 1, 1]), group([null, null]), group([0.7])];

/** Small, with so many short attempts that an untrained model hits something. */
const configOf = (name: AlgorithmName, more: string): ReturnType<typeof parseConfig> =>
  parseConfig({
    name: `${name}.yaml`,
    text: `
      environment: { name: codebreak, length: 2 }
      model: { decoder: { width: 16, layers: 1, heads: 2, feedForward: 16 } }
      rollout: { groups: 16, groupSize: 8 }
      train: { steps: 2 }
      algorithm: { name: ${name}, ${more} }`,
  });

for (const name of Object.keys(ALGORITHMS) as AlgorithmName[]) {
  const { advantages } = ALGORITHMS[name];

  test(`${name}: one finite advantage per attempt, 0 where the reward is unknown`, () => {
    const result = advantages(GROUPS);
    assert.deepEqual(
      result.map((list) => list.length),
      GROUPS.map(({ rewards }) => rewards.length),
    );
    assert.ok(result.flat().every(Number.isFinite));
    for (const [g, { rewards }] of GROUPS.entries()) {
      for (const [i, reward] of rewards.entries()) if (reward === null) assert.equal(result[g]![i], 0);
    }
    assert.deepEqual(advantages(GROUPS), result);
    assert.deepEqual(advantages([]), []);
  });

  test(`${name}: in a group the better attempt has the larger advantage`, () => {
    const [first] = advantages(GROUPS);
    assert.ok(first![1]! > first![3]! && first![3]! > first![0]!);
    assert.equal(first![1], first![2]);
  });

  for (const more of [
    'epochs: 1',
    'epochs: 2, loss: { klWeight: 0.1, entropyWeight: 0.01 }, reference: { every: 1, alpha: 0.5 }',
  ]) {
    test(`${name}: trains with ${more}`, async () => {
      const config = configOf(name, more);
      const environment = createEnvironment(config.environment);
      const model = await openModel(addon, config, environment);
      const [buffer, coverage] = [new TaskBuffer(config.curriculum), new Coverage()];
      const learner = { config, strategy: STRATEGIES.improve, environment, addon, model, buffer, coverage };
      let steps = 0;
      for await (const { stats } of train(learner)) {
        steps++;
        assert.equal(stats['mismatch'], 0, 'sampling and training agree bit for bit');
        for (const key of ['loss', 'gradNorm', 'entropy', 'ratioMax']) assert.ok(Number.isFinite(stats[key]), key);
        assert.ok(stats['gradNorm']! > 0);
      }
      assert.equal(steps, 2);
      assert.equal(model.step, 2 * config.algorithm.epochs);
      model.close();
    });
  }
}
