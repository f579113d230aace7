// Token ids, prompts, advantages and Arrow batches that must be refused before they reach a kernel.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { ColumnDescription, LossSettings } from '../../lib/native/addon.ts';
import { addon } from '../support/addon.ts';
import { describePacked, pack, type PackedColumns, prompts } from '../support/batch.ts';
import { countBadInputs, HEALTHY, heartbeat, refused } from '../support/broken.ts';
import { sameBits } from '../support/compare.ts';
import { GENERATE, LOSS, STAND_STILL, TRAIN } from '../support/settings.ts';

countBadInputs('batches and prompts');

const model = await addon.loadModel(HEALTHY);
after(() => model.close());
const { vocab_size: V, max_position_embeddings: positions } = JSON.parse(model.config) as Record<string, number> as {
  vocab_size: number;
  max_position_embeddings: number;
};
const alive = await heartbeat(model);

const SCORE = { temperature: 1, weights: 'policy', microBatchTokens: 64 } as const;
const healthy: PackedColumns = {
  ...pack([
    [1, 2, 3, 4],
    [5, 6, 7],
  ]),
  loss_mask: [0, 0, 1, 1, 0, 1, 1],
  logprob: [0, 0, -1, -2, 0, -3, -1],
  old_logprob: [0, 0, -1, -2, 0, -3, -1],
  ref_logprob: [0, 0, -1, -2, 0, -3, -1],
  token_advantage: [0, 0, 1, -1, 0, 1, 1],
};
const accumulate = (batch: ColumnDescription, loss: Partial<LossSettings> = {}) =>
  model.accumulate(batch, { ...LOSS, ...loss }, TRAIN);

const without = (column: string): ColumnDescription => {
  const batch = describePacked(healthy);
  return { ...batch, children: batch.children.filter((c) => c.name !== column) };
};
const changed = (column: string, change: (c: ColumnDescription) => Partial<ColumnDescription>): ColumnDescription => {
  const batch = describePacked(healthy);
  return { ...batch, children: batch.children.map((c) => (c.name === column ? { ...c, ...change(c) } : c)) };
};
const child = (change: (c: ColumnDescription) => Partial<ColumnDescription>) => (list: ColumnDescription) => ({
  children: list.children.map((c) => ({ ...c, ...change(c) })),
});

test('a token id outside the vocabulary', async () => {
  for (const id of [V, -1, 2 ** 31 - 1, -(2 ** 31)]) {
    const bad = describePacked({ ...healthy, tokens: Int32Array.of(1, id, 3, 4, 5, 6, 7) });
    const message = new RegExp(`${id}.*vocabulary|vocabulary.*${id}`, 's');
    await refused(`score, id ${id}`, () => model.score(bad, SCORE), message);
    await refused(`accumulate, id ${id}`, () => accumulate(bad), message);
    await refused(`generate, id ${id}`, () => model.generate(prompts([[1], [2, id]]), GENERATE), message);
    await refused(`forward, id ${id}`, () => model.forward(Int32Array.of(1, id), Int32Array.of(0, 2)), message);
    await alive();
  }
});

test('prompts that are empty or too long', async () => {
  const long = (n: number) => Array.from({ length: n }, (_, i) => i % V);
  await refused('an empty prompt', () => model.generate(prompts([[1, 2], []]), GENERATE), /prompt 1\b.*|empty.*1\b/s);
  await refused(
    'longer than the positions',
    () => model.generate(prompts([[1], long(positions + 1)]), GENERATE),
    /prompt 1\b/,
  );
  await refused(
    'no room for the completion',
    () => model.generate(prompts([long(positions - 1)]), { ...GENERATE, maxNewTokens: 16 }),
    /prompt 0\b/,
  );
  await refused(
    'longer than the cache',
    () => model.generate(prompts([[1], long(64)]), { ...GENERATE, pages: 2 }),
    /page|cache/,
  );
  await refused('score, an empty sequence', () => model.score(prompts([[1], []]), SCORE), /row 1|empty/);
  await refused('score, too long', () => model.score(prompts([[1], long(positions + 1)]), SCORE), /row 1/);
  await alive();
});

test('generate settings that make no sense', async () => {
  const bad = {
    samplesPerPrompt: [0, -1, 1.5, NaN],
    maxNewTokens: [0, -1, NaN],
    temperature: [-1, NaN, Infinity],
    topK: [-1, NaN],
    topP: [0, -0.1, 1.1, NaN],
    minP: [-0.1, 1.1, NaN],
    repetitionPenalty: [0, -1, NaN],
    maxRunning: [0, -1],
    prefillTokens: [0, -1],
    pages: [-1],
    seed: [NaN],
    stopTokens: ['end'],
    stopSequences: [[[]]],
  };
  for (const [key, values] of Object.entries(bad)) {
    for (const value of values) {
      const wrong = { ...GENERATE, [key]: key === 'stopTokens' ? [value] : value };
      await refused(`${key} = ${String(value)}`, () => model.generate(prompts([[1, 2]]), wrong), new RegExp(key));
    }
    const { [key]: _gone, ...missing } = GENERATE as unknown as Record<string, unknown>;
    await refused(`${key} missing`, () => model.generate(prompts([[1, 2]]), missing as never), new RegExp(key));
  }
  await alive();
});

test('advantages that are not numbers', async () => {
  for (const value of [NaN, Infinity, -Infinity]) {
    const perToken = { ...healthy, token_advantage: [0, 0, 1, value, 0, 1, 1] };
    await refused(`token_advantage ${value}`, () => accumulate(describePacked(perToken)), /token_advantage.*row 0/s);
    const perRow = { ...healthy, token_advantage: undefined, advantage: [1, value] };
    await refused(`advantage ${value}`, () => accumulate(describePacked(perRow)), /advantage.*row 1/s);
    await alive();
  }
  model.zeroGradients();
});

test('log-probabilities that are not numbers never reach the weights', async () => {
  // A model of its own: an update that is let through changes the weights.
  const own = await addon.loadModel(HEALTHY);
  const { name } = own.parameters[0]!;
  for (const column of ['logprob', 'old_logprob', 'ref_logprob']) {
    for (const value of [NaN, Infinity, -Infinity]) {
      const bad = describePacked({ ...healthy, [column]: [0, 0, value, -2, 0, -3, -1] });
      const before = own.read(name, 'policy');
      // Either the batch is refused, or the update refuses the gradient; a finite gradient may be used.
      try {
        await own.accumulate(bad, { ...LOSS, klWeight: 0.1, importance: 'token' }, TRAIN);
        await own.update({ ...STAND_STILL, lr: 0.1 });
      } catch (error) {
        assert.match(String((error as { code?: unknown }).code), /^ERR_/);
        assert.equal(sameBits(own.read(name, 'policy'), before), null, 'weights unchanged');
      }
      assert.ok(own.read(name, 'policy').every(Number.isFinite), `${column} = ${value}: weights stay finite`);
      own.zeroGradients();
    }
  }
  own.close();
});

test('missing columns', async () => {
  for (const column of ['tokens', 'loss_mask']) {
    await refused(`no ${column}`, () => accumulate(without(column)), new RegExp(column));
  }
  await refused('no advantage', () => accumulate(without('token_advantage')), /advantage/);
  await refused('no ref_logprob', () => accumulate(without('ref_logprob'), { klWeight: 0.1 }), /ref_logprob/);
  await refused('no logprob', () => accumulate(without('logprob'), { importance: 'token' }), /logprob/);
  await refused('score without tokens', () => model.score(without('tokens'), SCORE), /tokens/);
  await refused('generate without tokens', () => model.generate(without('tokens'), GENERATE), /tokens/);
});

test('wrong types and lying buffers', async () => {
  const short = (c: ColumnDescription) => ({
    buffers: c.buffers.map((b) => (b instanceof Int32Array || b instanceof Float32Array ? b.subarray(0, 2) : b)),
  });
  const withOffsets =
    (...values: number[]) =>
    (c: ColumnDescription) => ({ buffers: [c.buffers[0] ?? null, Int32Array.from(values)] });
  const batches: Record<string, [ColumnDescription, RegExp]> = {
    'tokens as float32': [
      changed(
        'tokens',
        child(() => ({ format: 'f' })),
      ),
      /tokens/,
    ],
    'tokens as int64': [
      changed(
        'tokens',
        child(() => ({ format: 'l' })),
      ),
      /tokens/,
    ],
    'tokens as plain int32': [changed('tokens', (c) => ({ ...c.children[0]!, name: 'tokens', length: 2 })), /tokens/],
    'tokens as text': [changed('tokens', () => ({ format: 'u' })), /tokens/],
    'loss_mask as int8': [
      changed(
        'loss_mask',
        child(() => ({ format: 'c' })),
      ),
      /loss_mask/,
    ],
    'logprob as float64': [
      changed(
        'logprob',
        child(() => ({ format: 'g' })),
      ),
      /logprob/,
    ],
    'token_advantage as int32': [
      changed(
        'token_advantage',
        child(() => ({ format: 'i' })),
      ),
      /token_advantage/,
    ],
    'nulls in tokens': [
      changed('tokens', () => ({ nullCount: 1, buffers: [Uint8Array.of(1), Int32Array.of(0, 4, 7)] })),
      /tokens/,
    ],
    'offsets beyond the values': [changed('tokens', withOffsets(0, 4, 700)), /tokens/],
    'offsets that go back': [changed('tokens', withOffsets(0, 5, 4)), /tokens/],
    'negative offsets': [changed('tokens', withOffsets(-4, 4, 7)), /tokens/],
    'too few offsets': [changed('tokens', withOffsets(0, 4)), /tokens/],
    'a values buffer that is too short': [changed('logprob', child(short)), /logprob/],
    'no values buffer': [
      changed(
        'logprob',
        child((c) => ({ buffers: c.buffers.map(() => null) })),
      ),
      /logprob/,
    ],
    'a list without a child': [changed('tokens', () => ({ children: [] })), /tokens/],
    'a column of another length': [changed('logprob', () => ({ length: 1 })), /logprob/],
    'a negative length': [changed('tokens', () => ({ length: -1 })), /tokens|length/],
    'lists shorter than the tokens': [changed('logprob', withOffsets(0, 3, 6)), /logprob/],
  };
  for (const [what, [batch, message]] of Object.entries(batches)) {
    await refused(what, () => accumulate(batch), message);
    await alive();
  }
  const things: unknown[] = [null, undefined, 3, 'batch', [], {}, describePacked(healthy).children[0]];
  for (const thing of things) {
    await refused(`a batch that is ${JSON.stringify(thing)?.slice(0, 40)}`, () => accumulate(thing as never), /./);
    await refused('the same for score', () => model.score(thing as never, SCORE), /./);
  }
  await alive();
});

test('loss and train settings that make no sense', async () => {
  const batch = describePacked(healthy);
  const bad: Partial<Record<keyof LossSettings, unknown[]>> = {
    ratio: ['word', 3],
    loss: ['ppo'],
    aggregation: ['median'],
    kl: ['k4'],
    importance: ['always'],
    importanceMode: ['drop'],
    temperature: [0, -1, NaN],
    klWeight: [NaN],
    clipLow: [NaN],
    topEntropy: [NaN],
  };
  for (const [key, values] of Object.entries(bad)) {
    for (const value of values) {
      const wrong = { [key]: value } as Partial<LossSettings>;
      await refused(`${key} = ${String(value)}`, () => accumulate(batch, wrong), new RegExp(key));
    }
  }
  await refused(
    'microBatchTokens 0',
    () => model.accumulate(batch, LOSS, { ...TRAIN, microBatchTokens: 0 }),
    /microBatchTokens/,
  );
  await refused(
    'recompute',
    () => model.accumulate(batch, LOSS, { ...TRAIN, recompute: 'some' as never }),
    /recompute/,
  );
  await refused('lr NaN', () => model.update({ ...STAND_STILL, lr: NaN }), /lr/);
  await alive();
});

test('misuse of the model', async () => {
  await refused('an unknown parameter', () => model.read('model.nothing', 'policy'), /model\.nothing/);
  await refused('an unknown set', () => model.read(model.parameters[0]!.name, 'velocity' as never), /velocity/);
  await refused(
    'too few values',
    () => model.write(model.parameters[0]!.name, 'policy', new Float32Array(3)),
    /3|size|values/,
  );
  await refused(
    'scoring a reference that is not there',
    () => model.score(describePacked(healthy), { ...SCORE, weights: 'reference' }),
    /reference/,
  );
  await refused('threads 0', () => addon.setThreads(0), /thread/);
  await refused('an unknown instruction set', () => addon.setSimd('mmx'), /mmx/);
  await refused('an unknown bench', () => addon.bench('coffee', [1], 1), /coffee/);
  await refused('a foreign buffer', () => addon.release('buffer' as never), /./);
  const cancel = new addon.CancelToken();
  cancel.cancel();
  await refused('cancelled', () => model.generate(prompts([[1, 2]]), GENERATE, cancel), /cancel/, /^ABORT_ERR$/);
  await alive();
});

test('a closed model says so', async () => {
  const closed = await addon.loadModel(HEALTHY);
  closed.close();
  await refused('score', () => closed.score(describePacked(healthy), SCORE), /closed/);
  await refused('generate', () => closed.generate(prompts([[1]]), GENERATE), /closed/);
  await refused('read', () => closed.read('model.norm.weight', 'policy'), /closed/);
  closed.close();
  await alive();
});
