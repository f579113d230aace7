import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paperPreset, paperPresetNames } from '../../lib/config/paper.ts';
import { loadPreset } from '../../lib/config/presets.ts';
import type { Config } from '../../lib/config/schema.ts';

// arXiv 2509.04575, hyperparameters. Null: not stated, or without meaning for the strategy.
const DOMAINS = ['math', 'tool-use', 'ml-engineering'] as const;
// biome-ignore format: a table
const SHARED: readonly [string, (config: Config) => unknown, ...unknown[]][] = [
  //                                                              math   tool use  ML engineering
  ['model',             (c) => c.model.path,                      'Llama-3.2-3B-Instruct', 'Qwen2.5-7B-Instruct', 'DeepSeek-R1-Distill-Qwen-7B'],
  ['train instances',   (c) => c.curriculum.instances,            1280,  100,      3],
  ['prompts',           (c) => c.rollout.groups,                  128,   16,       4],
  ['G',                 (c) => c.rollout.groupSize,               8,     8,        8],
  ['epochs per batch',  (c) => c.algorithm.epochs,                1,     2,        1],
  ['iterations',        (c) => c.train.steps,                     100,   400,      800],
  ['beta',              (c) => c.algorithm.loss.klWeight ?? null, 0.001, null,     null],
  ['M',                 (c) => c.algorithm.reference.every,       100,   100,      100],
  ['alpha',             (c) => c.algorithm.reference.alpha,       1,     1,        0.5],
  ['clip',              (c) => [c.algorithm.loss.clipLow, c.algorithm.loss.clipHigh], [0.2, 0.2], [0.2, 0.2], [0.2, 0.2]],
  ['K at inference',    (c) => Math.max(...c.evaluation.final),   16,    4,        16],
  ['n of avg@n',        (c) => c.evaluation.samples,              8,     8,        16],
  ['algorithm',         (c) => c.algorithm.name,                  'grpo', 'dr_grpo', 'grpo'],
  ['overlong',          (c) => c.algorithm.overlong,              'keep', 'mask',  'keep'],
  ['reward',            (c) => c.reward.selfIteration,            'plain', 'plain', 'improvement'],
  ['divergence reward', (c) => c.reward.divergence ?? c.reward.selfIteration, 'plain', 'plain', 'plain'],
];
// lr, N, B_min, p, p_div
type Row = readonly [number, number | null, number | null, number | null, number | null];
// biome-ignore format: a table
const PER_STRATEGY: Readonly<Record<string, readonly Row[]>> = {
  //           math                           tool use                       ML engineering
  grpo:       [[1e-6, null, null, null, null], [1e-6, null, null, null, null], [1e-6, null, null, null, null]],
  curriculum: [[1e-6, 512, 128, 0.5, null],    [5e-7, 320, 320, 0.2, null],    [1e-6, 3, 3, 0.5, null]],
  improve:    [[1e-6, 512, 128, 0.5, null],    [5e-7, 640, 320, 0.5, null],    [1e-6, 24, 8, 0.5, null]],
  diverge:    [[1e-6, 512, 128, 0.5, 0.2],     [5e-7, 640, 320, 0.5, 0.2],     [1e-6, 32, 8, 0.5, 0.2]],
  exit:       [[1e-6, 512, 128, 0.5, 0.2],     [1e-6, 640, 320, 0.5, 0.5],     [1e-6, 24, 3, 0.5, 0.5]],
};

/** A preset with every default filled in; an environment that exists stands in for the domain's. */
const load = (name: string): Config => loadPreset(name, ['environment={ name: codebreak }']);

test('there is one preset for each domain and strategy', () => {
  const names = DOMAINS.flatMap((domain) => Object.keys(PER_STRATEGY).map((s) => `paper/${domain}-${s}`));
  assert.deepEqual(paperPresetNames().sort(), names.sort());
});

for (const [d, domain] of DOMAINS.entries()) {
  for (const [strategy, rows] of Object.entries(PER_STRATEGY)) {
    const name = `paper/${domain}-${strategy}`;

    test(`${name} has the numbers of the paper`, () => {
      const config = load(name);
      assert.deepEqual(config.strategies, [strategy]);
      for (const [what, read, ...values] of SHARED) assert.deepEqual(read(config), values[d], what);
      const { capacity, minimum, probability, diverge } = config.curriculum;
      const found = [config.optimizer.lr, capacity, minimum, probability, diverge];
      for (const [i, what] of ['lr', 'N', 'B_min', 'p', 'p_div'].entries()) {
        if (rows[d]![i] !== null) assert.equal(found[i], rows[d]![i], what);
      }
    });

    test(`${name} uses nothing beyond the paper`, () => {
      const { curriculum, rollout, warmup } = load(name);
      const { sampling, staleness, decay, maxAge, maxDepth, rescore, children } = curriculum;
      assert.deepEqual(
        [sampling, staleness, decay, maxAge, maxDepth, rescore, children],
        ['softmax', 0, 1, null, null, false, 'all'],
      );
      assert.deepEqual([rollout.filter, warmup.steps], ['off', 0]);
    });
  }
}

test('each domain has its environment; names that are none are told apart', () => {
  const domainsOf = { math: 'math', 'tool-use': 'tool_use', 'ml-engineering': 'ml_engineering' };
  for (const [domain, environment] of Object.entries(domainsOf))
    assert.deepEqual(paperPreset(`paper/${domain}-exit`)['environment'], { name: environment });
  for (const domain of DOMAINS) assert.equal(loadPreset(`paper/${domain}-exit`).environment.name, domainsOf[domain]);
  assert.throws(
    () => loadPreset('paper/maths-exit'),
    /unknown preset "paper\/maths-exit" \(did you mean "paper\/math-exit"/,
  );
});
