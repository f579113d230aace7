// Episodes that end early, answers of which the best stands, verdicts that take long.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import type { Environment } from '../../lib/environments/environment.ts';
import { isOver } from '../../lib/environments/episode.ts';
import { evaluate } from '../../lib/evaluation/evaluate.ts';
import type { ColumnDescription, GenerateResult, GenerateSettings } from '../../lib/native/addon.ts';
import type { Config } from '../../lib/config/schema.ts';
import { rolloutBatch } from '../../lib/batch/rollout.ts';
import { collect } from '../../lib/rollout/collect.ts';
import { rollOut } from '../../lib/rollout/rollout.ts';
import type { Sampling } from '../../lib/rollout/sample.ts';
import type { Attempt, Task } from '../../lib/types.ts';
import { FakeModel } from '../support/fake-model.ts';

const NOTHING = new Int32Array(0);

/** Answers are one digit, which is a tenth of their quality; 0 to 3 end the episode. */
const digits: Environment = {
  ...{ name: 'digits', vocabularySize: 10, promptTokens: 20, turns: 6, episodeQuality: 'last' },
  ...{ selfIterationReward: 'plain', levels: { chance: 0 } },
  attempt: { maxTokens: 1, stopTokens: [], stopSequences: [] },
  task: (number) => number,
  key: String,
  prompt: (instance, _mode, previous, history) =>
    Int32Array.of(instance as number, previous?.tokens[0] ?? 0, ...history.map(({ tokens }) => tokens[0]!)),
  ended: (_, history) => history.at(-1)!.tokens[0]! < 4,
  judge: (_, answer) => ({ status: 'valid', quality: answer[0]! / 10, feedback: NOTHING }),
  reference: () => Int32Array.of(9),
  demonstration: () => null,
  show: String,
};

const SAMPLING: Sampling = {
  ...{ samplesPerPrompt: 3, temperature: 1, topK: 0, topP: 1, minP: 0, maxRunning: 8, pages: 0, prefillTokens: 64 },
  ...{ keepPrefixes: true, embed: false, seed: 1, firstSequence: 0 },
};

const base = (instance: number): Task => ({
  ...{ instance, depth: 0, mode: 'base', previous: null, history: [], entry: null, born: null },
});
const TASKS = [0, 1, 2, 3, 4, 5, 6].map(base);

/** Counts the rows of every call. */
class Counting extends FakeModel {
  readonly rows: number[] = [];
  override async generate(prompts: ColumnDescription, settings: GenerateSettings): Promise<GenerateResult> {
    this.rows.push(prompts.length * settings.samplesPerPrompt);
    return super.generate(prompts, settings);
  }
}

test('an episode is over when an answer says so, at the latest after the last turn; its last answer is what it is worth', async () => {
  const { groups } = await collect(
    { release: () => {} },
    new FakeModel(0, 10).asNative(),
    digits,
    { seed: 1, rollout: { ...ROLLOUT }, reward: { selfIteration: null, divergence: null } },
    0,
    () => base(groupsDrawn++),
  );
  let [early, late] = [0, 0];
  for (const { task, attempts, later, rewards } of groups) {
    for (const [i, attempt] of attempts.entries()) {
      const episode = [...task.history, attempt!, ...later[i]!];
      const before = episode.slice(0, -1);
      assert.ok(isOver(digits, task.instance, episode));
      assert.ok(before.length === 0 || !isOver(digits, task.instance, before));
      assert.equal(rewards[i], episode.at(-1)!.quality);
      if (episode.length === 6) late++;
      else early++;
    }
  }
  assert.ok(early > 10 && late > 0);
});
let groupsDrawn = 0;
const ROLLOUT: Config['rollout'] = {
  ...{ groups: 12, groupSize: 4, temperature: 1, topK: 0, topP: 1, minP: 0, maxRunning: 8, pages: 0 },
  ...{ prefillTokens: 64 },
  filter: 'off',
  extraRounds: 0,
};

test('evaluation plays each episode to its own end', async () => {
  const model = new Counting(0, 10);
  const curve = await evaluate({ release: () => {} }, model.asNative(), digits, {
    ...{ k: [0], instances: 40, temperature: 1, seed: 3 },
  });
  assert.equal(model.rows[0], 40);
  for (const [turn, rows] of model.rows.entries()) assert.ok(turn === 0 || rows < model.rows[turn - 1]!);
  const [point] = curve.points;
  assert.equal(point!.totalReturn, point!.quality);
  assert.ok(point!.quality < 0.5, 'most episodes ended with an answer below 4');
});

test('where the best answer stands, a worse one is forgotten and the next starts from the best', async () => {
  const single: Environment = { ...digits, turns: 1, standing: 'best', ended: undefined };
  const shown: number[] = [];
  const prompt: Environment['prompt'] = (instance, mode, previous, history) => {
    if (previous !== null) shown.push(previous.quality);
    return digits.prompt(instance, mode, previous, history);
  };
  const settings = { k: [0, 1, 2, 4, 8], instances: 1, temperature: 1, seed: 4 };
  const release = { release: () => {} };
  const { points } = await evaluate(release, new FakeModel(0, 10).asNative(), { ...single, prompt }, settings);
  assert.deepEqual(
    points.map(({ quality }) => quality),
    points.map(({ best }) => best),
  );
  assert.deepEqual(shown, [...shown].sort());
  const last = await evaluate(release, new FakeModel(0, 10).asNative(), { ...single, standing: 'last' }, settings);
  assert.ok(last.points.some(({ quality, best }) => quality < best));
});

test('slow verdicts are made while the next prompts are sampled, and change nothing', async () => {
  const fast = await rollOut(new FakeModel(0, 10).asNative(), digits, TASKS, SAMPLING);
  const model = new Counting(0, 10);
  const waiting: number[] = [];
  let running = 0;
  const slow: Environment = {
    ...digits,
    judging: 'slow',
    judge: async (instance, answer, history) => {
      waiting.push(model.rows.length);
      running++;
      await sleep(5);
      running--;
      return digits.judge(instance, answer, history);
    },
  };
  const cut = await rollOut(model.asNative(), slow, TASKS, SAMPLING);
  assert.equal(running, 0);
  assert.deepEqual(model.rows.slice(0, 4), [3, 6, 6, 6]);
  assert.ok(waiting.includes(1), 'a verdict was asked for before the next rows were sampled');
  assert.deepEqual(cut.judged, fast.judged);
  assert.deepEqual(cut.later, fast.later);
  const rows = (turns: typeof cut.turns): unknown => {
    const groups = TASKS.map((task, g) => ({
      task,
      attempts: cut.judged[g]!.map(({ attempt }) => attempt),
      later: cut.later[g]! as Attempt[][],
      ...{ failures: [], invalid: 0, rewards: [0, 0, 0], lengths: [0, 0, 0], truncated: [false, false, false] },
    }));
    const advantages = TASKS.map((_, g) => [g, g + 0.25, g + 0.5]);
    const batch = rolloutBatch(turns, 'digits', groups, advantages);
    return batch.toArray().map(String);
  };
  assert.deepEqual(rows(cut.turns), rows(fast.turns));
});

test('a finite environment is evaluated on what it has', async () => {
  const few: Environment = { ...digits, sizes: { train: 3, held_out: 5 } };
  const curve = await evaluate({ release: () => {} }, new FakeModel(0, 10).asNative(), few, {
    ...{ k: [0], instances: 100, temperature: 1, seed: 1 },
  });
  assert.equal(curve.instances, 5);
});
