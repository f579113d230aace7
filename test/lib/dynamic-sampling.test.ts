// Groups without variance are replaced, and nothing of them is kept but what the buffer wants to know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';
import type { Config } from '../../lib/config/schema.ts';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { Coverage } from '../../lib/curriculum/coverage.ts';
import { STRATEGIES, type StrategyName } from '../../lib/curriculum/strategies.ts';
import { createEnvironment } from '../../lib/environments/create.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { train } from '../../lib/loop.ts';
import type { ColumnDescription, GenerateResult, GenerateSettings, TrainMetrics } from '../../lib/native/addon.ts';
import type { Step } from '../../lib/types.ts';
import { changed } from '../support/environments.ts';
import { FakeModel } from '../support/fake-model.ts';

const GROUPS = 6;
const SIZE = 4;
const config = (extra = ''): Config =>
  parseConfig({
    name: 'test.yaml',
    text: `
      environment: { name: codebreak }
      model: { decoder: {} }
      curriculum: { capacity: 100, minimum: 10 }
      rollout: { groups: ${GROUPS}, groupSize: ${SIZE}, filter: zero_variance, extraRounds: 5 }
      train: { steps: 1 }
      ${extra}`,
  });

/** A model and a release() that write down what happens in which order. Released blocks are gone, as native ones are. */
class Witness extends FakeModel {
  readonly events: string[] = [];
  readonly held = new Set<ArrayBuffer>();

  override async generate(prompts: ColumnDescription, settings: GenerateSettings): Promise<GenerateResult> {
    this.events.push(`sample ${prompts.length * settings.samplesPerPrompt}, ${this.held.size} held`);
    const result = await super.generate(prompts, settings);
    this.held.add(result.columns.buffer);
    if (result.embeddings !== null) this.held.add(result.embeddings.buffer as ArrayBuffer);
    return result;
  }

  override async accumulate(batch: ColumnDescription): Promise<TrainMetrics> {
    this.events.push(`train ${batch.length}`);
    return super.accumulate(batch);
  }

  release = (block: ArrayBuffer): void => {
    assert.ok(this.held.delete(block), 'a native block, and only once');
    structuredClone(block, { transfer: [block] });
  };
}

/** Answers to an instance are all worth the same where its code begins with one of `flat`; `same` hears of each. */
function environment(flat: readonly number[], same: () => void = () => {}): Environment {
  const made = createEnvironment({ name: 'codebreak', length: 6, symbols: 10, hint: 0.4 });
  return changed(made, {
    judge: (instance, answer) => {
      const isFlat = flat.includes((instance as { code: number[] }).code[0]!);
      if (isFlat) same();
      const quality = isFlat ? 0.5 : answer.reduce((sum, token) => sum + token, 0) / 1000;
      return { status: 'valid', quality, feedback: new Int32Array(6).fill(4) };
    },
  });
}

async function oneStep(env: Environment, model: Witness, strategy: StrategyName, settings = config()): Promise<Step> {
  const parts = { strategy: STRATEGIES[strategy], environment: env, addon: model, model: model.asNative() };
  const space = { buffer: new TaskBuffer(settings.curriculum), coverage: new Coverage() };
  for await (const step of train({ config: settings, ...parts, ...space })) return step;
  assert.fail('no step');
}

const HALF = [0, 2, 4, 6, 8];

test('groups without variance are replaced; the batch holds the others', async () => {
  let flat = 0;
  const env = environment(HALF, () => flat++);
  const { groups, batch, stats } = await oneStep(env, new Witness(5, 10), 'grpo');
  assert.ok(flat > 0);
  assert.equal(groups.length, GROUPS);
  assert.ok(groups.every(({ rewards }) => new Set(rewards).size > 1));
  assert.equal(batch.numRows, GROUPS * SIZE);
  assert.equal(stats['dropped'], flat / SIZE);
  assert.equal(stats['trainedInstances'], GROUPS, 'dropped groups are not trained on');
  assert.deepEqual(
    [...batch.getChild('group_id')!],
    Array.from({ length: GROUPS * SIZE }, (_, row) => Math.floor(row / SIZE)),
  );
  for (const [row, tokens] of [...batch.getChild('tokens')!].entries()) {
    const { tokens: answer } = groups[Math.floor(row / SIZE)]!.attempts[row % SIZE]!;
    assert.deepEqual([...tokens].slice(-6), [...answer]);
  }
});

test('native memory of dropped groups is given back before anything else is sampled or trained', async () => {
  const model = new Witness(5, 10);
  await oneStep(environment(HALF), model, 'grpo');
  const rounds = model.events.filter((event) => event.startsWith('sample'));
  assert.ok(rounds.length > 2, `${model.events}`);
  assert.equal(rounds[0], `sample ${GROUPS * SIZE}, 0 held`);
  // A round of which nothing was dropped keeps its block; only the last one can be such a round.
  assert.ok(
    rounds.every((event) => event.endsWith(' 0 held')),
    `${model.events}`,
  );
  assert.equal(model.events.at(-1), `train ${GROUPS * SIZE}`);
  assert.equal(model.held.size, 0, 'and all of it after the step');
});

test('without a dropped group nothing is copied, and the block lives until the step is over', async () => {
  const model = new Witness(5, 10);
  const { batch } = await oneStep(environment([]), model, 'grpo');
  assert.equal(model.events.length, 2);
  // The generator ended with the step, so the block is gone by now: the batch looked at it.
  assert.equal(batch.getChild('tokens')!.data[0]!.children[0]!.values.length, 0);
  assert.equal(model.held.size, 0);
});

test('what the diversity bonus looks at are the groups of the batch', async () => {
  for (const embedder of ['ngrams', 'hidden']) {
    const settings = config(`diversity: { embedder: ${embedder}, cap: 1000 }`);
    const model = new Witness(5, 10);
    const { groups, stats } = await oneStep(environment(HALF), model, 'exit', settings);
    assert.ok(stats['dropped']! > 0 && stats['embeddingDistance']! > 0);
    assert.equal(groups.length, GROUPS);
    assert.equal(model.held.size, 0, 'embeddings lie in native memory, too');
  }
});

test('when nothing has variance the last round is trained on, and the run goes on', async () => {
  const model = new Witness(5, 10);
  const { groups, stats } = await oneStep(environment([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), model, 'improve');
  assert.equal(groups.length, GROUPS);
  assert.deepEqual([stats['dropped'], stats['zeroVariance'], stats['bufferScoreMax']], [5 * GROUPS, 1, 0]);
  assert.equal(model.held.size, 0);
});
