// gpu:check on machines that misbehave: whatever happens, what was found is written, and nothing that did not run counts as passed.
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../lib/config/root.ts';
import { inTemporaryFolder } from '../support/cli.ts';
import { type Machine, Packed, type Part, WGMMA } from '../support/packed.ts';

const CHECK = 'card-100/check.json';
const OPS = 'ops and models against the CPU';
const GOOD: Machine = {
  tests: {
    gemm_device_test: { device_gemm: 'large' },
    glu_device_test: { device_glu: 'ok' },
    attention_device_test: { device_attention: 'ok' },
  },
  sanitizer: 'Error: Device not supported. Please refer to the "Supported Devices" section',
};

const onMachine = (machine: Machine, body: (packed: Packed) => Promise<void>): Promise<void> =>
  inTemporaryFolder((folder) => body(new Packed(folder, machine)));

const faults = ({ failures = [] }: Part): [string, string][] =>
  failures.map(({ test: name, reason }) => [name, reason]);

// Most of the time is spent in waiting for processes.
describe('gpu:check', { concurrency: 4 }, () => {
  test('a card that does everything passes; what is not there is skipped with its reason', () =>
    onMachine(GOOD, async (packed) => {
      assert.equal(await packed.run('check'), 0);
      const { complete, running, failed, parts, commit, card } = packed.results(CHECK);
      assert.deepEqual([complete, running, failed, commit, card?.name], [true, null, 0, 'abc', 'Card 100']);
      const skipped = parts.filter(({ status }) => status === 'skipped').map(({ name, reason }) => [name, reason]);
      assert.deepEqual(skipped, [
        ['products through cuBLASLt', 'cuBLASLt: not there'],
        ['compute-sanitizer memcheck', GOOD.sanitizer],
        ['compute-sanitizer racecheck', GOOD.sanitizer],
      ]);
      assert.equal(packed.part(CHECK, OPS).passed, 3);
      assert.equal(packed.part(CHECK, 'golden numbers').passed, 1);
    }));

  test('a fault and a hang lose one test each, and the report names them', () => {
    const tests = {
      a_device_test: { device_a1: 'ok', device_a2: 'crash', device_a3: 'ok' },
      b_device_test: { device_b1: 'hang', device_b2: 'ok' },
      c_device_test: { device_c1: 'fail', device_c2: 'ok' },
    } as const;
    return onMachine({ ...GOOD, tests }, async (packed) => {
      assert.equal(await packed.run('check', { EXIT_RL_GPU_LIMIT: '3' }), 1);
      const part = packed.part(CHECK, OPS);
      assert.deepEqual([part.status, part.passed, part.failed], ['failed', 4, 3]);
      assert.deepEqual(faults(part), [
        ['device_a2', 'exit code 3'],
        ['device_b1', 'stopped after 3 s'],
        ['device_c1', 'see the output'],
      ]);
      assert.equal(part.failures![0]!.output.at(-1), 'RUN device_a2');
    });
  });

  test('on compute capability 9.0 wgmma has to be in full use', async () => {
    const { wgmma } = (await import(pathToFileURL(path.join(packageRoot(), 'scripts/gpu/check.mjs')).href)) as {
      wgmma(card: object): { status: string; reason?: string };
    };
    const status = (compute: number, ...libraries: string[]): string => wgmma({ compute, libraries }).status;
    assert.equal(status(90, WGMMA), 'passed');
    assert.equal(status(90, 'wgmma: not used: 3 wrong results in its check'), 'failed');
    const inexact = 'wgmma: checked; not used in exact mode, as its bits are not those of mma.sync';
    assert.equal(status(90, inexact), 'failed');
    assert.equal(status(90), 'failed');
    assert.equal(status(80, 'wgmma: not used: it exists on compute capability 9.0 only'), 'skipped');
  });

  test('a cuBLASLt that is there has to multiply; under compute-sanitizer problems are small', () => {
    const { sanitizer: _, ...machine } = GOOD;
    const libraries = [WGMMA, 'cuBLASLt 13.1.0: /lib/libcublasLt.so.13'];
    const says = (notMeasured: object[]): string =>
      `require('fs').writeFileSync(process.argv.at(-1), ${JSON.stringify(JSON.stringify({ results: [{ notMeasured }] }))})`;
    return onMachine(
      { ...machine, libraries, bench: says([{ label: 'logits', reason: 'status 7' }]) },
      async (packed) => {
        assert.equal(await packed.run('check'), 1);
        assert.equal(packed.part(CHECK, 'products through cuBLASLt').reason, 'logits: status 7');
        assert.equal(packed.part(CHECK, 'compute-sanitizer memcheck').passed, 3);
        // Which libraries there were is a result, where they lay is not.
        assert.deepEqual(packed.results(CHECK).card?.libraries, [WGMMA, 'cuBLASLt 13.1.0']);
      },
    );
  });

  test('a run from the command line has to end well, and in exact mode its rollouts have the log-probabilities of training', async () => {
    const [float32, bfloat16, exact] = ['a run in float32', 'a run in bfloat16', 'a run in bfloat16, exact'] as const;
    await onMachine({ ...GOOD, mismatch: 0.01 }, async (packed) => {
      assert.equal(await packed.run('check'), 1);
      const statuses = [float32, bfloat16, exact].map((name) => packed.part(CHECK, name).status);
      assert.deepEqual(statuses, ['failed', 'passed', 'failed']);
      assert.deepEqual(packed.part(CHECK, bfloat16).mismatch, { max: 0.01, mean: 0.00125, k3: 0 });
      assert.equal(packed.part(CHECK, exact).reason, 'log-probabilities of rollouts are off by 0.01, allowed 0');
    });
    await onMachine({ ...GOOD, mismatch: null }, async (packed) => {
      assert.equal(await packed.run('check'), 1);
      assert.equal(packed.part(CHECK, float32).reason, 'train: exit code 1');
    });
    await onMachine({ ...GOOD, mismatch: 'no steps' }, async (packed) => {
      assert.equal(await packed.run('check'), 1);
      assert.equal(packed.part(CHECK, bfloat16).reason, 'no step was recorded');
    });
  });

  test('a doctor that hangs is a failed part, and the rest runs without wgmma', () =>
    onMachine({ ...GOOD, doctor: 'hang' }, async (packed) => {
      assert.equal(await packed.run('check', { EXIT_RL_GPU_LIMIT: '3' }), 1);
      assert.match(packed.part(CHECK, 'doctor').reason ?? '', /^stopped after 3 s.*without wgmma$/);
      assert.equal(packed.part(CHECK, OPS).status, 'passed');
    }));

  test('a machine without a card is told, and written down', () =>
    onMachine({ ...GOOD, doctor: 'none' }, async (packed) => {
      assert.equal(await packed.run('check'), 2);
      assert.equal(packed.part('no-card/check.json', 'doctor').reason, 'there is no NVIDIA driver');
    }));

  test('parts for which no time is left are no success', () =>
    onMachine(GOOD, async (packed) => {
      const began = String(Math.floor(Date.now() / 1000) - 1000);
      assert.equal(await packed.run('check', { EXIT_RL_GPU_BEGAN: began }), 1);
      const { complete } = packed.results(CHECK);
      const part = packed.part(CHECK, OPS);
      assert.deepEqual([complete, part.status, part.passed, part.notRun?.length], [false, 'unfinished', 0, 3]);
    }));

  test('ended from outside, it leaves what was found and what was running', () =>
    onMachine({ ...GOOD, tests: { ...GOOD.tests, z_device_test: { device_z: 'hang' } } }, async (packed) => {
      const found = (): number | undefined =>
        packed.has(CHECK) ? packed.results(CHECK).parts.find(({ name }) => name === OPS)?.passed : undefined;
      assert.equal(await packed.run('check', {}, () => found() === 3), 1);
      const { complete, running, parts } = packed.results(CHECK);
      assert.deepEqual([complete, running], [false, OPS]);
      assert.equal(parts.find(({ name }) => name === OPS)?.passed, 3);
    }));
});
