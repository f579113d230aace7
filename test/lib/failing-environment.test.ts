// Environments that break down in the middle of a run: no finished step is lost, and the reasons are told and kept.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../lib/config/load.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { latestCheckpoint } from '../../lib/runs/checkpoint.ts';
import { Interrupted, type Observer, runExperiment, type Stop } from '../../lib/runs/experiment.ts';
import { type Failure, Failures } from '../../lib/runs/failures.ts';
import { createRun, openRun } from '../../lib/runs/run-folder.ts';
import type { Verdict } from '../../lib/types.ts';
import { addon } from '../support/addon.ts';
import { inTemporaryFolder } from '../support/cli.ts';
import { withCodebreak } from '../support/environments.ts';

const text = `
  environment: { name: codebreak, length: 2 }
  model: { decoder: { width: 16, layers: 1, heads: 2, feedForward: 16 } }
  rollout: { groups: 4, groupSize: 4 }
  curriculum: { capacity: 30, minimum: 4 }
  evaluation: { every: 0, final: [0], finalInstances: 4 }
  train: { steps: 6 }`;
const config = (...set: string[]): ReturnType<typeof parseConfig> => parseConfig({ name: 'test.yaml', text, set });
const silent: Observer = { phase: () => {}, step: () => {}, warn: () => {} };
const GROUP = 4 * 4;

/** The judge of an environment, which breaks down with this after so many verdicts. */
const breaksAfter =
  (verdicts: number, fail: () => Verdict) =>
  (environment: Environment): Partial<Environment> => {
    let judged = 0;
    return { judge: (...of) => (judged++ >= verdicts ? fail() : environment.judge(...of)) };
  };
const gone = (): Verdict => {
  throw new Error('the sandbox is gone');
};
const nonsense = (): Verdict => ({ status: 'valid', quality: Number.NaN, feedback: new Int32Array(2) });

const run = (path: string, set: string[] = []): ReturnType<typeof runExperiment> =>
  runExperiment(addon, createRun(path, config(...set), {}), silent, { requested: false });
const resume = (path: string): ReturnType<typeof runExperiment> =>
  runExperiment(addon, openRun(path), silent, { requested: false });
const savedStep = (path: string): number => latestCheckpoint(join(path, 'checkpoints'))!.state.step;

test('a run whose environment fails keeps its finished steps and goes on from there', () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, 'run');
    await withCodebreak(breaksAfter(3 * GROUP, gone), () =>
      assert.rejects(run(path), /codebreak: no attempt could be judged.*the sandbox is gone.*resume/),
    );
    assert.equal(savedStep(path), 3);
    const results = await resume(path);
    assert.equal(results['improve']!.points.length, 1);
    assert.equal(savedStep(path), 6);
  }));

test('so does one whose environment fails in an evaluation, after a step or in the warm-up', () =>
  inTemporaryFolder(async (folder) => {
    const lines = (path: string): number => readFileSync(join(path, 'metrics.jsonl'), 'utf8').trim().split('\n').length;
    const training = join(folder, 'training');
    // Evaluations of 8 instances before the first step and after the second.
    const evaluation = ['evaluation.every=2', 'evaluation.during=[0]', 'evaluation.instances=8'];
    await withCodebreak(breaksAfter(8 + 2 * GROUP, nonsense), () =>
      assert.rejects(run(training, evaluation), /quality must lie in \[0, 1\], got NaN/),
    );
    assert.deepEqual([savedStep(training), lines(training)], [2, 3]);
    await resume(training);
    assert.deepEqual([savedStep(training), lines(training)], [6, 7]);

    const both = join(folder, 'both');
    const warmup = join(both, 'warmup');
    await withCodebreak(breaksAfter(8, nonsense), () =>
      assert.rejects(run(both, [...evaluation, 'warmup.steps=5', 'warmup.batch=4']), /got NaN/),
    );
    assert.deepEqual([savedStep(warmup), lines(warmup)], [4, 4]);
    await resume(both);
    assert.deepEqual([savedStep(warmup), lines(warmup), savedStep(both)], [5, 5, 6]);
  }));

/** Answers that begin with some symbols cannot be judged; which ones never changes. */
const picky = (environment: Environment): Partial<Environment> => ({
  judge: (instance, answer, history) => {
    const first = answer[0]!;
    if (first % 5 === 0) return { status: 'infrastructure_error', reason: 'no route to the sandbox' };
    if (first === 9) throw new Error(`out of memory\nstack of ${first}`);
    return environment.judge(instance, answer, history);
  },
});

test('why attempts could not be judged is told once each, counted, and the same after an interruption', () =>
  inTemporaryFolder((folder) =>
    withCodebreak(picky, async () => {
      const warnings: string[] = [];
      const observer = { ...silent, warn: (message: string) => void warnings.push(message) };
      const whole = join(folder, 'whole');
      const unjudged: number[] = [];
      const counting = {
        ...observer,
        step: (_: string, stats: Record<string, number | null>) => void unjudged.push(stats['unjudged'] ?? 0),
      };
      await runExperiment(addon, createRun(whole, config(), {}), counting, { requested: false });
      const file = readFileSync(join(whole, 'unjudged.json'), 'utf8');
      const failures = JSON.parse(file) as Failure[];
      assert.deepEqual(failures.map(({ reason }) => reason).sort(), [
        'no route to the sandbox',
        'out of memory\nstack of 9',
      ]);
      const total = unjudged.reduce((sum, count) => sum + count, 0);
      assert.equal(
        failures.reduce((sum, { count }) => sum + count, 0),
        total,
      );
      assert.ok(failures[0]!.count >= failures[1]!.count && failures.every((f) => f.firstStep <= f.lastStep));
      assert.equal(
        warnings.filter((w) => /^improve, step \d+: \d+ attempts? could not be judged: no route/.test(w)).length,
        1,
      );
      assert.equal(warnings.filter((w) => w.endsWith('could not be judged: out of memory')).length, 1);
      assert.equal(warnings.length, 3, warnings.join('\n'));
      assert.ok(warnings[2]!.startsWith(`improve: ${total} attempts could not be judged: no route to the sandbox (`));
      assert.ok(warnings[2]!.endsWith(`see ${join(whole, 'unjudged.json')}`));

      const parts = join(folder, 'parts');
      const stop: Stop = { requested: false };
      const stopping = { ...silent, step: () => Object.assign(stop, { requested: true }) };
      await assert.rejects(runExperiment(addon, createRun(parts, config(), {}), stopping, stop), Interrupted);
      await resume(parts);
      assert.equal(readFileSync(join(parts, 'unjudged.json'), 'utf8'), file);
    }),
  ));

test('a thousand different reasons are fifty and the rest; a run without any has no file', () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'unjudged.json');
    const failures = new Failures(path, []);
    assert.equal(existsSync(path), false);
    const fresh = failures.add(
      3,
      Array.from({ length: 1000 }, (_, i) => `request ${i} failed ${'x'.repeat(1000)}`),
    );
    assert.equal(fresh.length, 51);
    assert.deepEqual([failures.list[0]!.reason, failures.list[0]!.count], ['other reasons', 950]);
    assert.ok(readFileSync(path, 'utf8').length < 51 * 700);
    const again = new Failures(path, failures.list);
    assert.deepEqual(again.list, failures.list);
    assert.deepEqual(again.add(4, [failures.list[1]!.reason]), []);
    new Failures(path, []); // taken back to where there were none
    assert.equal(existsSync(path), false);
  }));
