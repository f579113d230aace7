import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { STRATEGIES, type StrategyName } from '../../lib/curriculum/strategies.ts';
import { createEnvironment } from '../../lib/environments/create.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { type Learner, train } from '../../lib/loop.ts';
import type { Attempt, Step, Verdict } from '../../lib/types.ts';
import { FakeModel } from '../support/fake-model.ts';

const config = parseConfig({
  name: 'test.yaml',
  text: `
    environment: { name: codebreak }
    model: { decoder: {} }
    curriculum: { capacity: 30, minimum: 10 }
    rollout: { groups: 6, groupSize: 4 }
    train: { steps: 8 }`,
});

function learner(strategy: StrategyName, environment: Environment = createEnvironment(config.environment)): Learner {
  const buffer = new TaskBuffer(config.curriculum.capacity, config.curriculum.kappa);
  const model = new FakeModel(5, 10).asNative();
  return { config, strategy: STRATEGIES[strategy], environment, addon: { release: () => {} }, model, buffer };
}

/** What a step leaves behind, to compare runs. */
const trace = ({ stats, batch }: Step): unknown => ({ stats, rows: JSON.stringify(batch.toArray()) });

async function collect(steps: AsyncGenerator<Step>, count = Number.POSITIVE_INFINITY): Promise<Step[]> {
  const seen: Step[] = [];
  for await (const step of steps) {
    seen.push(step);
    if (seen.length >= count) break;
  }
  return seen;
}

test('grpo starts from base tasks only; improve also from attempts', async () => {
  const plain = await collect(train(learner('grpo')));
  assert.ok(plain.every(({ groups }) => groups.every(({ task }) => task.depth === 0 && task.mode === 'base')));
  const steps = await collect(train(learner('improve')));
  assert.equal(steps.length, 8);
  const replays = steps.flatMap(({ groups }) => groups).filter(({ task }) => task.entry !== null);
  assert.ok(replays.some(({ task }) => task.mode === 'improve' && task.depth > 0 && task.previous !== null));
  assert.ok(steps.at(-1)!.stats['depth']! > 0);
});

test('a run taken up again after any step gives the same steps', async () => {
  const whole = (await collect(train(learner('improve')))).map(trace);
  for (const cut of [1, 4, 7]) {
    const first = learner('improve');
    const before = (await collect(train(first), cut)).map(trace);
    const second = learner('improve');
    second.buffer.restore(JSON.parse(JSON.stringify(first.buffer.save())));
    (second.model as unknown as FakeModel).weight = (first.model as unknown as FakeModel).weight;
    const after = (await collect(train(second, cut))).map(trace);
    assert.deepEqual([...before, ...after], whole);
  }
});

function withJudge(judge: (count: number, verdict: Verdict) => Verdict): Environment {
  const environment = createEnvironment(config.environment);
  let count = 0;
  const changed = Object.create(environment) as Environment;
  const original = environment.judge.bind(environment);
  return Object.assign(changed, {
    judge: async (instance: unknown, answer: Int32Array, history: readonly Attempt[]) =>
      judge(count++, await original(instance, answer, history)),
    task: environment.task.bind(environment),
    key: environment.key.bind(environment),
    prompt: environment.prompt.bind(environment),
    show: environment.show.bind(environment),
  });
}

test('attempts whose verifier failed are left out, not punished', async () => {
  const failed: Verdict = { status: 'infrastructure_error', reason: 'the sandbox died' };
  const environment = withJudge((count, verdict) => (count % 4 === 0 ? failed : verdict));
  const [step] = await collect(train(learner('improve', environment)), 1);
  assert.equal(step!.stats['unjudged'], 6);
  const rows = step!.batch.toArray().map((row) => row.toJSON());
  for (const row of rows.filter((_, i) => i % 4 === 0)) {
    assert.deepEqual([row['quality'], row['reward'], row['advantage']], [null, null, 0]);
  }
  assert.ok(rows.some((row) => row['advantage'] !== 0));
});

test('a quality that is no number ends the run with the environment and the answer', async () => {
  for (const quality of [Number.NaN, Number.POSITIVE_INFINITY, -0.1]) {
    const environment = withJudge((_, verdict) => ({ ...verdict, quality }) as Verdict);
    await assert.rejects(
      collect(train(learner('grpo', environment))),
      /codebreak: quality must lie in \[0, 1\].*answer/,
    );
  }
});
