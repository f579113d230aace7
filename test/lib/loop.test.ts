import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { Coverage } from '../../lib/curriculum/coverage.ts';
import { STRATEGIES, type StrategyName } from '../../lib/curriculum/strategies.ts';
import { createEnvironment } from '../../lib/environments/create.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { type Learner, train } from '../../lib/loop.ts';
import { judge } from '../../lib/rollout/judge.ts';
import type { Mode, Step, Verdict } from '../../lib/types.ts';
import { changed } from '../support/environments.ts';
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
  return {
    ...{ config, strategy: STRATEGIES[strategy], environment, addon: { release: () => {} } },
    ...{ model: new FakeModel(5, 10).asNative(), buffer: new TaskBuffer(config.curriculum), coverage: new Coverage() },
  };
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
    second.buffer.restore(structuredClone(first.buffer.save()));
    second.coverage.restore(first.coverage.save());
    (second.model as unknown as FakeModel).weight = (first.model as unknown as FakeModel).weight;
    const after = (await collect(train(second, cut))).map(trace);
    assert.deepEqual([...before, ...after], whole);
  }
});

function withJudge(judge: (count: number, verdict: Verdict) => Verdict): Environment {
  const environment = createEnvironment(config.environment);
  let count = 0;
  return changed(environment, {
    judge: async (...of) => judge(count++, await environment.judge(...of)),
  });
}

test('attempts whose verifier failed are left out, not punished', async () => {
  const failed: Verdict = { status: 'infrastructure_error', reason: 'the sandbox died' };
  const environment = withJudge((count, verdict) => (count % 4 === 0 ? failed : verdict));
  const [step] = await collect(train(learner('improve', environment)), 1);
  assert.equal(step!.stats['unjudged'], 6);
  assert.deepEqual(step!.failures, Array(6).fill('the sandbox died'));
  const rows = step!.batch.toArray().map((row) => row.toJSON());
  for (const row of rows.filter((_, i) => i % 4 === 0)) {
    assert.deepEqual([row['quality'], row['reward'], row['advantage']], [null, null, 0]);
  }
  assert.ok(rows.some((row) => row['advantage'] !== 0));
});

test('a verdict that is none ends the run with the environment and the answer', async () => {
  const wrong = (verdict: unknown, message: RegExp): Promise<void> =>
    assert.rejects(
      collect(
        train(
          learner(
            'grpo',
            withJudge(() => verdict as Verdict),
          ),
        ),
      ),
      message,
    );
  for (const quality of [Number.NaN, Number.POSITIVE_INFINITY, -0.1, undefined]) {
    const verdict = { status: 'valid', quality, feedback: new Int32Array(6) };
    await wrong(verdict, /codebreak: quality must lie in \[0, 1\], got .* for the answer ".*"; put the verifier right/);
  }
  await wrong(
    { status: 'valid', quality: 1 },
    /codebreak: feedback must be an Int32Array, got undefined for the answer/,
  );
  await wrong(undefined, /codebreak: judge\(\) must return a verdict with a status, got undefined for the answer/);
  await wrong({ quality: 1, feedback: new Int32Array(6) }, /must return a verdict with a status, got \{"quality":1/);
});

test('a verifier that throws has failed; one that always does ends the run with its reason', async () => {
  const sometimes = withJudge((count, verdict) => {
    if (count % 3 === 0) throw new Error('no route to the sandbox');
    return verdict;
  });
  const [step] = await collect(train(learner('improve', sometimes)), 1);
  assert.equal(step!.stats['unjudged'], 8);
  const never = withJudge(() => {
    throw new Error('no route to the sandbox');
  });
  await assert.rejects(collect(train(learner('improve', never))), /codebreak.*no route to the sandbox.*resume/);
});

test('so does one that never gets to the end of an episode', async () => {
  const clerk = parseConfig({ name: 'test.yaml', text: 'environment: { name: clerk }\nmodel: { decoder: {} }' });
  const environment = createEnvironment(clerk.environment);
  const judge = (failing: (turn: number, answer: Int32Array) => boolean): Environment =>
    changed(environment, {
      judge: (instance, answer, history) => {
        if (failing(history.length, answer)) throw new Error('the books are closed');
        return environment.judge(instance, answer, history);
      },
    });
  const all = collect(
    train({
      ...learner(
        'improve',
        judge((turn) => turn === 2),
      ),
      config: clerk,
    }),
  );
  await assert.rejects(all, /clerk: no attempt could be judged; the first reason: the books are closed; put the/);
  const some = judge((turn, answer) => turn === 2 && answer[0]! % 2 === 0);
  const [step] = await collect(train({ ...learner('improve', some), config: clerk }), 1);
  const unknown = step!.groups.flatMap(({ rewards }) => rewards).filter((reward) => reward === null).length;
  assert.ok(unknown > 0);
  assert.deepEqual([step!.failures.length, step!.stats['unjudged']], [unknown, unknown]);
});

test('a verifier that hangs is given up', async () => {
  const environment = changed(createEnvironment(config.environment), { judge: () => new Promise<Verdict>(() => {}) });
  const { attempt, reason } = await judge(environment, environment.task(1, 'train'), Int32Array.of(), [], 0.01);
  assert.deepEqual([attempt, reason], [null, 'no verdict after 0.01 s']);
});

test('the ladder: what each strategy starts from', async () => {
  const modes = async (strategy: StrategyName): Promise<string> => {
    const steps = await collect(train(learner(strategy)));
    const tasks = steps.flatMap(({ groups }) => groups.map(({ task }) => task));
    const replayed = tasks.some(({ entry }) => entry !== null) ? 'replay ' : '';
    return replayed + [...new Set(tasks.map(({ mode }) => mode))].sort().join(' ');
  };
  assert.equal(await modes('grpo'), 'base');
  assert.equal(await modes('curriculum'), 'replay base');
  assert.equal(await modes('improve'), 'replay base improve');
  assert.equal(await modes('diverge'), 'replay base diverge improve');
  assert.equal(await modes('exit'), 'replay base diverge improve');
});

test('exit scales the advantages of diverge by the distance of an attempt from its group', async () => {
  const ngrams = { ...config, diversity: { ...config.diversity, embedder: 'ngrams' as const, cap: 1000 } };
  const [plain] = await collect(train({ ...learner('diverge'), config: ngrams }), 1);
  const [scaled] = await collect(train({ ...learner('exit'), config: ngrams }), 1);
  const column = (step: Step, name: string): number[] => [...step.batch.getChild(name)!] as number[];
  assert.deepEqual(column(plain!, 'reward'), column(scaled!, 'reward'));
  const [a, b] = [column(plain!, 'advantage'), column(scaled!, 'advantage')];
  const factors = a.flatMap((advantage, i) => (advantage === 0 ? [] : [b[i]! / advantage]));
  assert.ok(factors.every((factor) => factor >= 0 && factor <= 1000.1));
  assert.ok(new Set(factors.map((factor) => factor.toFixed(4))).size > 4);
  assert.equal(plain!.stats['embeddingDistance'], null);
  assert.ok(scaled!.stats['embeddingDistance']! > 0);
});

test('divergence steps can have a reward of their own', async () => {
  const own = { ...config, reward: { selfIteration: 'improvement' as const, divergence: 'plain' as const } };
  const steps = await collect(train({ ...learner('diverge'), config: own }));
  const rewardsOf = (mode: Mode): boolean[] =>
    steps
      .flatMap(({ groups }) => groups)
      .filter(({ task }) => task.mode === mode)
      .map(({ rewards, attempts }) => rewards.every((r, i) => r === attempts[i]!.quality));
  assert.ok(rewardsOf('diverge').length > 0 && rewardsOf('diverge').every(Boolean));
  assert.ok(rewardsOf('improve').includes(false));
});
