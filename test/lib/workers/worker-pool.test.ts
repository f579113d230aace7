import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WorkerError, WorkerPool } from '../../../lib/workers/worker-pool.ts';
import type { TestJob } from '../../support/pool-jobs.ts';

const MODULE = new URL('../../support/pool-jobs.js', import.meta.url);
type Answer = { echo: number; thread: number };

async function withPool(
  settings: { threads: number; seconds: number; batch: number },
  use: (pool: WorkerPool<TestJob, Answer>) => Promise<void>,
): Promise<void> {
  const pool = new WorkerPool<TestJob, Answer>(MODULE, settings);
  try {
    await use(pool);
  } finally {
    await pool.close();
  }
}

test('every job gets its own result, on no more threads than allowed', () =>
  withPool({ threads: 2, seconds: 30, batch: 16 }, async (pool) => {
    const jobs = Array.from({ length: 500 }, (_, echo) => echo);
    const answers = await Promise.all(jobs.map((echo) => pool.run({ echo })));
    assert.deepEqual(
      answers.map(({ echo }) => echo),
      jobs,
    );
    assert.ok(new Set(answers.map(({ thread }) => thread)).size <= 2);
    assert.equal(pool.waiting, 0);
  }));

test('a job that throws fails alone', () =>
  withPool({ threads: 1, seconds: 30, batch: 8 }, async (pool) => {
    const results = await Promise.allSettled([pool.run({ echo: 1 }), pool.run({ fail: 'no' }), pool.run({ echo: 2 })]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    await assert.rejects(
      pool.run({ fail: 'why' }),
      (error: Error) => error instanceof WorkerError && error.message === 'why',
    );
  }));

test('a job that hangs is killed; those that travelled with it have their results', () =>
  withPool({ threads: 1, seconds: 0.6, batch: 8 }, async (pool) => {
    await pool.run({ echo: 0 }); // the thread has started
    const jobs: TestJob[] = [{ echo: 1 }, { hang: true }, { echo: 2 }, { exit: true }, { echo: 3 }];
    const results = await Promise.allSettled(jobs.map((job) => pool.run(job)));
    assert.deepEqual(
      results.map((result) => (result.status === 'fulfilled' ? result.value.echo : (result.reason as Error).name)),
      [1, 'WorkerError', 2, 'WorkerError', 3],
    );
    assert.match(String((results[1] as PromiseRejectedResult).reason), /not done after 0\.6 s/);
  }));

test('a job can be given up before and while it waits', () =>
  withPool({ threads: 1, seconds: 30, batch: 1 }, async (pool) => {
    const controller = new AbortController();
    const first = pool.run({ echo: 1 });
    const second = pool.run({ echo: 2 }, controller.signal);
    const third = pool.run({ echo: 3 });
    controller.abort(new Error('enough'));
    await assert.rejects(second, /enough/);
    await assert.rejects(pool.run({ echo: 4 }, controller.signal), /enough/);
    assert.deepEqual([(await first).echo, (await third).echo], [1, 3]);
  }));

test('a pool that nobody closes does not keep the process alive', () => {
  const pool = fileURLToPath(new URL('../../../lib/workers/worker-pool.js', import.meta.url));
  const script = `import { WorkerPool } from ${JSON.stringify(pool)};
    const pool = new WorkerPool(new URL(${JSON.stringify(MODULE.href)}), { threads: 1, seconds: 20, batch: 4 });
    console.log((await pool.run({ echo: 7 })).echo);`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    ...{ env, encoding: 'utf8', timeout: 20_000 },
  });
  assert.deepEqual([status, stdout], [0, '7\n']);
});
