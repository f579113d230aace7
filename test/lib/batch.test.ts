import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBatches, writeBatch } from '../../lib/batch/file.ts';
import { rolloutBatch } from '../../lib/batch/rollout.ts';
import { Sampled } from '../../lib/batch/sampled.ts';
import { ROLLOUT_SCHEMA } from '../../lib/batch/schema.ts';
import { exampleBatch, promptBatch } from '../../lib/batch/supervised.ts';
import { promptAndAnswer } from '../../lib/sft/example.ts';
import { withTokenValues } from '../../lib/batch/token-values.ts';
import { describeBatch } from '../../lib/native/bridge.ts';
import type { Group } from '../../lib/types.ts';
import { inTemporaryFolder } from '../support/cli.ts';
import { FakeModel } from '../support/fake-model.ts';

const SETTINGS = {
  ...{ samplesPerPrompt: 2, maxNewTokens: 3, temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 },
  ...{ stopTokens: [], stopSequences: [], seed: 1, firstSequence: 0, pages: 0, maxRunning: 8, prefillTokens: 64 },
  ...{ keepPrefixes: false, embed: false },
};
const PROMPTS = [Int32Array.of(1, 2), Int32Array.of(3, 4, 5, 6)];

async function sample(): Promise<Sampled> {
  return Sampled.of(await new FakeModel(5, 10).generate(describeBatch(promptBatch(PROMPTS)), SETTINGS));
}

const group = (instance: number, rewards: readonly (number | null)[]): Group => ({
  task: { instance, depth: 0, mode: 'base', previous: null, history: [], entry: null, born: null },
  attempts: rewards.map((quality) =>
    quality === null ? null : { tokens: Int32Array.of(), feedback: Int32Array.of(), quality },
  ),
  ...{ later: rewards.map(() => []), truncated: [false, false], failures: [], invalid: 0, rewards, lengths: [3, 3] },
});
const OWNERS = [0, 1].flatMap((g) => [0, 1].map((i) => [g, i] as const));
const GROUPS = [group(7, [0.5, null]), group(8, [0, 1])];

test('a rollout batch points into the block of the sampler and survives the way through a file', async () => {
  const sampled = await sample();
  const batch = rolloutBatch([{ turn: 0, sampled, owners: OWNERS }], 'codebreak', GROUPS, [
    [0.5, 0],
    [-1, 1],
  ]);
  assert.equal(batch.getChild('tokens')!.data[0]!.children[0]!.values.buffer, sampled.block);
  await inTemporaryFolder((folder) => {
    const path = join(folder, 'step-000001.arrow');
    writeBatch(path, batch);
    const table = readBatches(path);
    assert.deepEqual(table.schema.names, ROLLOUT_SCHEMA.names);
    const rows = table.toArray().map((row) => row.toJSON());
    assert.deepEqual(
      rows.map((row) => [...row['tokens']].length),
      [5, 5, 7, 7],
    );
    assert.deepEqual(
      rows.map((row) => [...row['loss_mask']].filter(Boolean).length),
      [3, 3, 3, 3],
    );
    assert.deepEqual(
      rows.map((row) => row['reward']),
      [0.5, null, 0, 1],
    );
    assert.deepEqual(
      rows.map((row) => row['quality']),
      [0.5, null, 0, 1],
    );
    assert.deepEqual(
      rows.map((row) => row['advantage']),
      [0.5, 0, -1, 1],
    );
    assert.deepEqual(
      rows.map((row) => [row['group_id'], row['instance'], row['environment'], row['mode']]),
      [
        [0, 7, 'codebreak', 'base'],
        [0, 7, 'codebreak', 'base'],
        [1, 8, 'codebreak', 'base'],
        [1, 8, 'codebreak', 'base'],
      ],
    );
  });
});

test('answers are what follows the prompt', async () => {
  const sampled = await sample();
  for (let row = 0; row < 4; row++) {
    const answer = sampled.completion(row);
    assert.equal(answer.length, 3);
    assert.ok(answer.every((token) => token >= 5 && token < 15));
  }
});

test('examples carry the loss on the answer', () => {
  const batch = exampleBatch([
    promptAndAnswer(Int32Array.of(1, 2), Int32Array.of(3)),
    promptAndAnswer(Int32Array.of(4), Int32Array.of(5, 6)),
  ]);
  const rows = batch.toArray().map((row) => row.toJSON());
  assert.deepEqual(
    rows.map((row) => [...row['tokens']]),
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
  );
  assert.deepEqual(
    rows.map((row) => [...row['loss_mask']]),
    [
      [false, false, true],
      [false, true, true],
    ],
  );
  assert.deepEqual(
    rows.map((row) => row['advantage']),
    [1, 1],
  );
});

test('picked rows are a copy that outlives the native block', async () => {
  const sampled = await sample();
  const embeddings = Float32Array.from({ length: 8 }, (_, i) => i);
  const picked = Object.assign(sampled, { embeddings }).pick([3, 1]);
  assert.deepEqual([picked.rows, [...picked.offsets]], [2, [0, 7, 12]]);
  assert.deepEqual([...picked.embeddings!], [6, 7, 2, 3]);
  const expected = [3, 1].map((row) => [...sampled.completion(row)]);
  structuredClone(sampled.block, { transfer: [sampled.block] }); // gone
  assert.deepEqual(
    [0, 1].map((row) => [...picked.completion(row)]),
    expected,
  );
  const released: ArrayBuffer[] = [];
  picked.release({ release: (block) => void released.push(block) });
  assert.equal(released.length, 0, 'nothing of it is native');
});

test('values along the tokens become one more column', async () => {
  const batch = rolloutBatch([{ turn: 0, sampled: await sample(), owners: OWNERS }], 'codebreak', GROUPS, [
    [0, 0],
    [0, 0],
  ]);
  const values = Float32Array.from({ length: 24 }, (_, i) => i);
  const wider = withTokenValues(batch, 'ref_logprob', values);
  assert.deepEqual([...wider.get(2)!.toJSON()['ref_logprob']], [10, 11, 12, 13, 14, 15, 16]);
});

test('the turns of an episode are rows of their own, with the advantage of their attempt', async () => {
  const [first, second] = [await sample(), await sample()];
  const attempt = { tokens: Int32Array.of(), feedback: Int32Array.of(), quality: 0.25 };
  const groups = [{ ...GROUPS[0]!, later: [[attempt], []] }, GROUPS[1]!];
  const turns = [
    { turn: 0, sampled: first, owners: OWNERS },
    { turn: 1, sampled: second.pick([0, 2, 3]), owners: [OWNERS[0]!, OWNERS[3]!, OWNERS[0]!] },
  ];
  const batch = rolloutBatch(turns, 'codebreak', groups, [
    [0.5, 0],
    [-1, 1],
  ]);
  const column = (name: string): unknown[] => [...batch.getChild(name)!];
  assert.deepEqual(column('attempt'), [0, 1, 0, 1, 0, 1, 0]);
  assert.deepEqual(column('turn'), [0, 0, 0, 0, 1, 1, 1]);
  assert.deepEqual(column('advantage'), [0.5, 0, -1, 1, 0.5, 1, 0.5]);
  assert.equal(column('quality')[4], 0.25);
  for (const name of ['tokens', 'loss_mask', 'logprob', 'raw_logprob']) {
    const lists = column(name).map((list) => [...(list as Iterable<unknown>)]);
    assert.deepEqual(lists.slice(4), [lists[0], lists[2], lists[3]], name);
  }
  assert.deepEqual(column('prompt_length'), [2, 2, 4, 4, 2, 4, 4]);
});
