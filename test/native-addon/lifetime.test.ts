// Jobs, threads and shared memory: nothing blocks the event loop, nothing is freed too early, nothing keeps Node alive.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ColumnDescription, NativeModel } from '../../lib/native/addon.ts';
import { describeBatch, toRecordBatch } from '../../lib/native/bridge.ts';
import { addon } from '../support/addon.ts';
import { describePacked, pack, prompts } from '../support/batch.ts';
import { HEALTHY, refused } from '../support/broken.ts';
import { assertSameBits } from '../support/compare.ts';
import { GENERATE, NLL, STAND_STILL, TRAIN } from '../support/settings.ts';

const SCORE = { temperature: 1, weights: 'policy', microBatchTokens: 64 } as const;
const LONG = { ...GENERATE, samplesPerPrompt: 16, maxNewTokens: 150 };
const many: ColumnDescription = prompts(Array.from({ length: 32 }, () => [1, 2, 3]));
const sequence = prompts([[1, 2, 3, 4, 5]]);
const workerFile = new URL('../support/worker-jobs.js', import.meta.url);

const model = await addon.loadModel(HEALTHY);
after(() => model.close());
const { logprob: expected } = await model.score(sequence, SCORE);

test('the event loop and the file system go on while a job runs', async () => {
  const job = model.generate(many, LONG);
  let settled = false;
  void job.finally(() => {
    settled = true;
  });
  let turns = 0;
  for (; !settled && turns < 20; turns++) await readFile(fileURLToPath(workerFile));
  assert.ok(turns > 3, `${turns} files read meanwhile`);
  addon.release((await job).columns.buffer);
});

test('calls run in order', async () => {
  const order: string[] = [];
  const call = (name: string, promise: Promise<unknown>) => promise.then(() => order.push(name));
  await Promise.all([
    call('generate', model.generate(many, { ...LONG, maxNewTokens: 8 })),
    call('score', model.score(sequence, SCORE)),
    call('forward', model.forward(Int32Array.of(1, 2), Int32Array.of(0, 2))),
  ]);
  assert.deepEqual(order, ['generate', 'score', 'forward']);
});

test('weights cannot be touched under a running job', async () => {
  const job = model.score(sequence, SCORE);
  const name = model.parameters[0]!.name;
  await refused('read', () => model.read(name, 'policy'), /read\(\) while another call/);
  await refused('write', () => model.write(name, 'policy', new Float32Array(1)), /write\(\) while another call/);
  await refused('zeroGradients', () => model.zeroGradients(), /zeroGradients\(\) while another call/);
  await refused('step', () => Object.assign(model, { step: 3 }), /step while another call/);
  assert.equal(model.step, 0);
  await job;
  model.read(name, 'policy');
});

test('cancelling stops a running job soon, and the model stays usable', async () => {
  const cancel = new addon.CancelToken();
  const job = model.generate(many, LONG, cancel);
  await turn();
  const start = performance.now();
  cancel.cancel();
  await refused('generate', () => job, /cancel/, /^ABORT_ERR$/);
  assert.ok(performance.now() - start < 2000);
  assertSameBits('after a cancelled job', (await model.score(sequence, SCORE)).logprob, expected);
  await refused('a stranger as token', () => model.generate(many, LONG, { cancel() {} }), /CancelToken/);
  await refused('a model as token', () => model.generate(many, LONG, model as never), /CancelToken/);
});

test('closing a model with a job in flight lets the job finish', async () => {
  const other = await addon.loadModel(HEALTHY);
  const job = other.score(sequence, SCORE);
  other.close();
  assertSameBits('score', (await job).logprob, expected);
  await refused('after close', () => other.score(sequence, SCORE), /closed/);
});

test('what was written is used by the next call', async () => {
  const other = await addon.loadModel(HEALTHY);
  const { name } = other.parameters[0]!;
  const weights = other.read(name, 'policy');
  other.write(
    name,
    'policy',
    weights.map((w) => 2 * w),
  );
  assert.notDeepEqual((await other.score(sequence, SCORE)).logprob, expected);
  other.write(name, 'policy', weights);
  assertSameBits('the old weights', (await other.score(sequence, SCORE)).logprob, expected);
  await refused('no reference', () => other.read(name, 'reference'), /reference/);
  other.close();
});

test('the number of threads and the order of setThreads change no bit', async () => {
  const { threads } = addon.doctor();
  for (const n of [1, 3, threads]) {
    addon.setThreads(n);
    assert.equal(addon.doctor().threads, n);
    assertSameBits(`${n} threads`, (await model.score(sequence, SCORE)).logprob, expected);
  }
});

test('blocks: views, release, and a job that owns what it reads', async () => {
  const before = addon.doctor().blocks;
  const { columns } = await model.generate(prompts([[1, 2, 3]]), { ...GENERATE, samplesPerPrompt: 4 });
  assert.equal(addon.doctor().blocks, before + 1);
  assert.ok(columns.columns.every(({ byteOffset }) => byteOffset % 64 === 0));
  const batch = toRecordBatch(columns);
  const described = describeBatch(batch);
  const { logprob } = await model.score(described, SCORE);
  // Released or transferred while a job reads it: the job owns the block too.
  const job = model.score(described, SCORE);
  addon.release(columns.buffer);
  assert.equal(columns.buffer.byteLength, 0);
  assertSameBits('from a released block', (await job).logprob, logprob);
  addon.release(columns.buffer);
  await refused('a detached batch', () => model.score(described, SCORE), /detached/);
  await refused('a foreign buffer', () => addon.release(new ArrayBuffer(8)), /this addon/);

  const again = (await model.generate(prompts([[1, 2, 3]]), { ...GENERATE, samplesPerPrompt: 4 })).columns;
  const view = describeBatch(toRecordBatch(again));
  const transferred = model.score(view, SCORE);
  structuredClone(again.buffer, { transfer: [again.buffer] });
  assertSameBits('from a transferred block', (await transferred).logprob, logprob);
  addon.release(again.buffer);
});

test('released blocks are gone at once, hundreds of calls hold none', async () => {
  const before = addon.doctor();
  for (let i = 0; i < 300; i++) {
    const { logprob } = await model.score(sequence, SCORE);
    addon.release(logprob.buffer as ArrayBuffer);
  }
  // Fewer, where garbage of earlier tests was collected meanwhile.
  const { blocks, blockBytes } = addon.doctor();
  assert.ok(blocks <= before.blocks && blockBytes <= before.blockBytes, `${before.blocks} blocks, then ${blocks}`);
});

test('training by hand: accumulate, update, save and load', async () => {
  const other: NativeModel = await addon.createModel(model.config, 7);
  const batch = describePacked({ ...pack([[1, 2, 3, 4]]), loss_mask: [0, 1, 1, 1], token_advantage: [1, 1, 1, 1] });
  const first = await other.accumulate(batch, NLL, TRAIN);
  assert.equal(first.tokens, 3);
  const { step, gradNorm } = await other.update({ ...STAND_STILL, lr: 1e-2 });
  assert.deepEqual([step, other.step], [1, 1]);
  assert.ok(gradNorm > 0);
  assert.ok((await other.accumulate(batch, NLL, TRAIN)).loss < first.loss);
  other.close();
});

test('the same seed draws the same weights, another seed others', async () => {
  const draw = async (seed: number) => {
    const fresh = await addon.createModel(model.config, seed);
    const values = fresh.parameters.map(({ name }) => fresh.read(name, 'policy'));
    fresh.close();
    return values;
  };
  const [a, b, c] = [await draw(1), await draw(1), await draw(2)];
  assert.deepEqual(a, b);
  assert.notDeepEqual(a, c);
  const embedding = a[0]!;
  const deviation = Math.sqrt(embedding.reduce((sum, x) => sum + x * x, 0) / embedding.length);
  assert.ok(Math.abs(deviation - 0.02) < 0.001, `deviation ${deviation}`);
});

test('models cannot be made or borrowed from JavaScript', async () => {
  const Model = model.constructor as unknown as new (...args: unknown[]) => unknown;
  assert.throws(() => new Model(), /createModel/);
  assert.throws(() => new Model({}), /createModel/);
  assert.throws(() => model.read.call({} as never, 'x', 'policy'));
  assert.throws(() => (Model.prototype as NativeModel).close.call(new addon.CancelToken() as never));
});

const inWorker = (jobs: number): Promise<[Worker, Float32Array]> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(workerFile, { workerData: { checkpoint: HEALTHY, jobs } });
    worker.once('message', (logprob: Float32Array) => resolve([worker, logprob]));
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the worker ended with ${code} and said nothing`)));
  });

test('worker threads have environments of their own', async () => {
  const workers = await Promise.all([inWorker(0), inWorker(0), inWorker(0)]);
  for (const [worker, logprob] of workers) {
    assertSameBits('in a worker', logprob, expected);
    await worker.terminate();
  }
});

test('terminating a worker stops its jobs', async () => {
  const [worker] = await inWorker(5);
  const start = performance.now();
  await worker.terminate();
  assert.ok(performance.now() - start < 3000);
  assertSameBits('afterwards', (await model.score(sequence, SCORE)).logprob, expected);
});

test('a process ends: by itself with a model open, by exit() in the middle of a job', () => {
  const support = new URL('../support/', import.meta.url);
  const start = `
    const { addon } = await import('${support}addon.js');
    const { prompts } = await import('${support}batch.js');
    const { GENERATE } = await import('${support}settings.js');
    const model = await addon.loadModel(${JSON.stringify(HEALTHY)});`;
  const run = (code: string) => {
    const { status, signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', start + code], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { status, signal, stderr };
  };
  const endless = `const batch = prompts(Array.from({ length: 64 }, () => [1, 2]));
    model.generate(batch, { ...GENERATE, samplesPerPrompt: 64, maxNewTokens: 200 }).catch(() => {});
    setTimeout(() => process.exit(7), 20);`;
  assert.deepEqual(run(endless), { status: 7, signal: null, stderr: '' });
  const short =
    "addon.setThreads(1); await model.score(prompts([[1, 2]]), { temperature: 1, weights: 'policy', microBatchTokens: 8 });";
  assert.deepEqual(run(short), { status: 0, signal: null, stderr: '' });
});
