// Models on a device, through the emulated plugin: the whole way from TypeScript to kernels, in a process that loads it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const PLUGIN = path.join(root, 'build/Release/libexit_rl_emulated.so');
const MAIN = path.join(root, 'dist/lib/cli/main.js');

const skip = existsSync(PLUGIN) ? false : 'the emulated plugin is not built (node scripts/build.mjs --tests)';

function node(args: string[], env: Record<string, string> = {}): { code: number | null; out: string; err: string } {
  // Without this a test run inside a test reports to the outer one.
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
  const result = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...outer, EXIT_RL_CUDA_PLUGIN: PLUGIN, ...env },
    maxBuffer: 1 << 26,
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

const exitRl = (args: string[], env?: Record<string, string>) => node([MAIN, ...args], env);

function withFolder(use: (folder: string) => void): void {
  const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-device-'));
  try {
    use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const ON_THE_DEVICE: Readonly<Record<string, Record<string, string>>> = {
  ...Object.fromEntries(
    ['forward', 'backward', 'optim', 'policy', 'generate', 'lora'].map((name) => [`golden/${name}`, {}]),
  ),
  'native-addon/adapter-state': { EXIT_RL_EMULATED_MEMORY: '3000000' },
};

for (const [name, env] of Object.entries(ON_THE_DEVICE)) {
  test(`${name} on the emulated device`, { skip }, () => {
    const file = path.join(root, `dist/test/${name}.test.js`);
    const { code, out, err } = node(['--test', '--test-reporter=tap', file], { EXIT_RL_TEST_DEVICE: 'cuda:0', ...env });
    const failed = out.split('\n').filter((line) => /^\s*not ok/.test(line));
    assert.equal(code, 0, `${failed.join('\n')}\n${out.slice(-3000)}\n${err.slice(-2000)}`);
    assert.match(out, /# pass [1-9]/);
  });
}

const TINY = `
seed: 3
environment: { name: codebreak, length: 4, symbols: 5, hint: 0.4 }
model:
  decoder: { width: 32, layers: 1, heads: 2, kvHeads: 1, feedForward: 48 }
  device: cuda
strategies: [improve]
warmup: { steps: 2, batch: 8 }
curriculum: { minimum: 2 }
rollout: { groups: 4, groupSize: 4 }
train: { steps: 2, microBatchTokens: 64 }
evaluation: { every: 0, instances: 8, final: [0, 1], finalInstances: 40 }
`;

test('a dry run plans for a device that is not there', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY);
    const nowhere = { EXIT_RL_CUDA_PLUGIN: path.join(folder, 'missing.so') };
    const bytes = (...set: string[]) => {
      const { code, out, err } = exitRl(['train', '--config', config, '--dry-run', '--json', ...set], nowhere);
      assert.equal(code, 0, err);
      const { memory } = JSON.parse(out) as { memory: { total: number } };
      return memory.total;
    };
    assert.ok(bytes() !== bytes('--device', 'cpu'));
    assert.ok(bytes('--set', 'model.dtype=bfloat16') < bytes());
  });
});

test('a run on a device trains, saves, resumes on the CPU and evaluates', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY);
    const run = path.join(folder, 'run');
    const trained = exitRl(['train', '--config', config, '--out', run]);
    assert.equal(trained.code, 0, trained.err);
    const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
    const steps = lines.map((line) => JSON.parse(line)).filter((m) => m.step !== undefined);
    assert.ok(steps.length >= 2);
    // Small, for this is not exact mode, and recorded for every step.
    for (const step of steps.filter((m) => m.mismatch !== undefined))
      assert.ok(step.mismatch < 1e-3, `mismatch ${step.mismatch}`);
    const evaluated = exitRl(['eval', run, '--device', 'cpu']);
    assert.equal(evaluated.code, 0, evaluated.err);
    // What fits is asked of the device's memory.
    const inspect = (args: string[], env?: Record<string, string>) => exitRl(['inspect', run, '--json', ...args], env);
    const memory = (...given: Parameters<typeof inspect>) => JSON.parse(inspect(...given).out).memory;
    const small = { EXIT_RL_EMULATED_MEMORY: '2000000' };
    const [ample, tight] = [memory([]), memory([], small)];
    assert.deepEqual([ample.device, ample.machine.total, tight.machine.total], ['cuda', 2 ** 30, 2_000_000]);
    assert.ok(ample.training.fits && tight.largest.microBatchTokens < ample.largest.microBatchTokens);
    assert.equal(memory(['--device', 'cpu'], small).device, 'cpu');
    const nowhere = { EXIT_RL_CUDA_PLUGIN: path.join(folder, 'missing.so') };
    assert.equal(memory([], nowhere).device, 'cpu');
    assert.equal(memory(['--device', 'auto'], nowhere).device, 'cpu');
    const asked = inspect(['--device', 'cuda'], nowhere);
    assert.deepEqual([asked.code, asked.out], [1, '']);
    assert.match(asked.err, /device cuda cannot be used: EXIT_RL_CUDA_PLUGIN names .*missing\.so/);
  });
});

test('what stands in the way of a device is said', { skip }, () => {
  const none = spawnSync(process.execPath, [MAIN, 'doctor'], {
    encoding: 'utf8',
    env: { ...process.env, EXIT_RL_CUDA_PLUGIN: '/nowhere/plugin.so' },
  });
  assert.match(none.stdout, /cuda +none: EXIT_RL_CUDA_PLUGIN names \/nowhere\/plugin.so, which cannot be read/);
  const notOurs = exitRl(['doctor'], { EXIT_RL_CUDA_PLUGIN: path.join(root, 'package.json') });
  assert.match(notOurs.out, /cuda +none: the plugin cannot be loaded: /);
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY);
    const seven = exitRl(['train', '--config', config, '--out', path.join(folder, 'run'), '--device', 'cuda:7']);
    assert.equal(seven.code, 1);
    assert.match(
      seven.err,
      /device cuda:7 cannot be used: there is no device 7: this machine has 1\. exit-rl doctor shows more; --device cpu works without/,
    );
    const word = exitRl(['train', '--config', config, '--out', path.join(folder, 'run'), '--device', 'gpu']);
    assert.equal(word.code, 2);
    assert.match(word.err, /expected cpu, cuda, cuda:N or auto/);
  });
});

test('memory that does not suffice is an error with what would fit, and the process lives', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY);
    const run = path.join(folder, 'run');
    const tight = exitRl(['train', '--config', config, '--out', run], { EXIT_RL_EMULATED_MEMORY: '700000' });
    assert.equal(tight.code, 1);
    assert.match(tight.err, /needs \d+ MB of working memory, and the device has \d+ MB/);
  });
});

test('a run trains in the memory that its dry run names, evaluations too', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    const text = TINY.replace('groupSize: 4 }', 'groupSize: 4, maxRunning: 2, prefillTokens: 64 }');
    writeFileSync(config, text.replace('every: 0, instances: 8', 'every: 1, instances: 40'));
    const plan = exitRl(['train', '--config', config, '--dry-run', '--json']);
    assert.equal(plan.code, 0, plan.err);
    const bytes = Math.ceil(1.02 * JSON.parse(plan.out).memory.total);
    const run = path.join(folder, 'run');
    const trained = exitRl(['train', '--config', config, '--out', run], { EXIT_RL_EMULATED_MEMORY: String(bytes) });
    assert.equal(trained.code, 0, trained.err);
  });
});

test('a head width that a device lacks is said before anything runs; auto takes the CPU', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY.replace('heads: 2,', 'heads: 8,').replace('device: cuda', 'dtype: bfloat16'));
    const run = path.join(folder, 'run');
    for (const more of [['--dry-run'], ['--out', run]]) {
      const { code, err } = exitRl(['train', '--config', config, '--device', 'cuda', ...more]);
      assert.equal(code, 1);
      assert.match(err, /device cuda: heads of 4 numbers: on a device .* a multiple of 8; the CPU computes others/);
    }
    const trained = exitRl(['train', '--config', config, '--out', `${run}-2`, '--device', 'auto']);
    assert.equal(trained.code, 0, trained.err);
  });
});

test('a kernel fault ends the run with its last checkpoint whole, and the run goes on from there', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY.replace('train: { steps: 2,', 'run: { checkpointEvery: 1 }\ntrain: { steps: 3,'));
    const run = path.join(folder, 'run');
    // Two warm-up steps and three of training: the fourth update fails.
    const broken = exitRl(['train', '--config', config, '--out', run], { EXIT_RL_EMULATED_FAULT: 'adamw:4' });
    assert.equal(broken.code, 1, broken.out);
    assert.match(
      broken.err,
      /the device failed, and this process cannot use it any more: adamw: cudaErrorIllegalAddress/,
    );
    assert.match(broken.err, /The last checkpoint of the run is whole: start again with --resume/);
    const resumed = exitRl(['train', '--resume', run]);
    assert.equal(resumed.code, 0, resumed.err);
    const whole = path.join(folder, 'whole');
    assert.equal(exitRl(['train', '--config', config, '--out', whole]).code, 0);
    const weights = (of: string) => readFileSync(path.join(of, 'checkpoints/step-000003/model.safetensors'));
    assert.ok(weights(run).equals(weights(whole)), 'the resumed run ends with other weights');
  });
});

test('a plugin of another build is refused', { skip }, () => {
  const { out } = exitRl(['doctor'], { EXIT_RL_EMULATED_ABI: '99' });
  assert.match(out, /cuda +none: .* has interface 99, this addon needs \d+: both must come from one build/);
});

interface Mismatch {
  readonly mismatch: number;
  readonly mismatchMean: number;
  readonly mismatchK3: number;
}

test('a run in bfloat16 and one in exact mode', { skip }, () => {
  withFolder((folder) => {
    const config = path.join(folder, 'tiny.yaml');
    writeFileSync(config, TINY);
    const metrics = (name: string, ...set: string[]) => {
      const run = path.join(folder, name);
      const { code, err } = exitRl([
        'train',
        '--config',
        config,
        '--out',
        run,
        ...set.flatMap((one) => ['--set', one]),
      ]);
      assert.equal(code, 0, err);
      const lines = readFileSync(path.join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
      return lines.map((line) => JSON.parse(line) as Mismatch).filter((m) => m.mismatch !== undefined);
    };
    const half = metrics('half', 'model.dtype=bfloat16');
    assert.ok(half.length > 0);
    for (const { mismatch, mismatchMean, mismatchK3 } of half) {
      assert.ok(mismatch < 0.1, `mismatch ${mismatch}`);
      assert.ok(mismatchMean <= mismatch && mismatchMean > 0 === mismatch > 0, `mean ${mismatchMean}`);
      assert.ok(mismatchK3 >= 0 && mismatchK3 <= mismatch ** 2, `k3 ${mismatchK3}`);
    }
    for (const step of metrics('exact', 'model.dtype=bfloat16', 'model.exact=true'))
      assert.deepEqual([step.mismatch, step.mismatchMean, step.mismatchK3], [0, 0, 0]);
  });
});
