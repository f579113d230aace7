// The benchmarks of a card, tiny, on the emulated device: they run, and one case that fails costs nothing but itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const PLUGIN = path.join(packageRoot(), 'build/Release/libexit_rl_emulated.so');
const skip = existsSync(PLUGIN) ? false : 'the emulated plugin is not built (node scripts/build.mjs --tests)';

interface Written {
  readonly complete: boolean;
  readonly running: string | null;
  readonly results: readonly {
    readonly data: unknown;
    readonly notMeasured: readonly { label: string; reason: string }[];
  }[];
}

function bench<Data>(folder: string, args: readonly string[], env: Record<string, string> = {}, code = 0) {
  const file = path.join(folder, 'bench.json');
  const all = [...args, '--small', '--repeats', '1', '--dtype', 'bfloat16', '--json', file];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(packageRoot(), 'dist/bench/main.js'), ...all],
    {
      encoding: 'utf8',
      env: { ...process.env, EXIT_RL_CUDA_PLUGIN: PLUGIN, ...env },
    },
  );
  assert.equal(status, code, stderr);
  const { complete, running, results } = JSON.parse(readFileSync(file, 'utf8')) as Written;
  return { complete, running, data: results[0]!.data as Data, notMeasured: results[0]!.notMeasured, stdout };
}

// A stand-in for PyTorch's process: it notes when it begins and ends, and has no memory for attention's gradient.
const PEER = `#!${process.execPath}
const { appendFileSync } = require('fs');
const { what, compile = false, microBatchTokens = 0 } = JSON.parse(process.argv[3]);
const note = (text) => appendFileSync(process.env.PEER_NOTES, text + '\\n');
note(['begin', what, compile, microBatchTokens].join(' '));
process.on('exit', () => note('end'));
process.on('SIGTERM', () => setTimeout(process.exit, 100));
console.log('{"ready":true,"version":"torch"}');
require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { op } = JSON.parse(line);
  console.log(JSON.stringify(op === 'attention_backward' ? { error: 'OutOfMemoryError: no 1 GiB' } : { seconds: 1 }));
});
`;

describe('benchmarks of a card', { skip }, () => {
  test('ops: a kernel that kills the device is a row with its reason, and another process goes on after it', () =>
    inTemporaryFolder((folder) => {
      type Data = { ops: { op: string; seconds: number[] }[] };
      const ops = ({ data }: { data: Data }) => data.ops.map(({ op, seconds }) => [op, seconds.length]);
      const fault = { EXIT_RL_EMULATED_FAULT: 'glu_forward:2' };
      const first = bench<Data>(folder, ['gpu-ops', '--only', 'glu_'], fault, 3);
      assert.deepEqual([first.complete, first.running, ops(first)], [false, 'glu_forward 16 x 16', []]);
      assert.match(first.notMeasured[0]!.reason, /cudaErrorIllegalAddress/);
      const second = bench<Data>(folder, ['gpu-ops', '--only', 'glu_', '--after', first.running!], fault);
      assert.deepEqual([second.complete, second.running, ops(second)], [true, null, [['glu_backward', 1]]]);
    }));

  test('training: micro-batches are halved until they fit, and the row says so', () =>
    inTemporaryFolder((folder) => {
      const train = (memory: string) =>
        bench<{ models: Record<string, { microBatchTokens: number; passes: number[] }> }>(
          folder,
          ['gpu-train', '--only', 'Qwen3-0.6B'],
          { EXIT_RL_EMULATED_MEMORY: memory },
        );
      const tight = train('420000');
      const { microBatchTokens, passes } = tight.data.models['Qwen3-0.6B']!;
      assert.ok(microBatchTokens < 128 && microBatchTokens >= 16, `${microBatchTokens}`);
      assert.equal(passes.length, 1);
      assert.match(tight.stdout, new RegExp(`Qwen3-0.6B +\\| ${microBatchTokens} `));
      const none = train('30000');
      assert.deepEqual(none.data.models, {});
      assert.match(none.notMeasured.find(({ label }) => label === 'Qwen3-0.6B')!.reason, /bytes left|memory/);
    }));

  test('generation: every workload in both modes', () =>
    inTemporaryFolder((folder) => {
      const { data } = bench<{ workloads: object }>(folder, ['gpu-rollout', '--only', 'one sequence']);
      assert.deepEqual(Object.keys(data.workloads), ['one sequence, default', 'one sequence, exact']);
    }));

  test('beside PyTorch: one of its processes at a time, one for all ops, the same micro-batches', () =>
    inTemporaryFolder((folder) => {
      const [python, notes] = [path.join(folder, 'python'), path.join(folder, 'notes')];
      writeFileSync(python, PEER, { mode: 0o755 });
      const env = { EXIT_RL_PEER_PYTHON: python, PEER_NOTES: notes };
      const { data, notMeasured } = bench<Record<string, { name: string; seconds: number[] }[]>>(
        folder,
        ['gpu-peers', '--only', 'n'],
        env,
      );
      assert.deepEqual(readFileSync(notes, 'utf8').trim().split('\n'), [
        ...['begin ops false 0', 'end'],
        ...['begin decode false 0', 'end', 'begin decode false 0', 'end'],
        ...['begin train false 64', 'end', 'begin train false 64', 'end'],
        ...['begin train true 64', 'end', 'begin train true 64', 'end'],
      ]);
      assert.deepEqual(
        [...new Set(notMeasured.map(({ label, reason }) => `${label.split(' ')[0]}: ${reason}`))],
        ['attention_backward: PyTorch: OutOfMemoryError: no 1 GiB'],
      );
      assert.deepEqual(
        data['train Qwen3-0.6B, compiled']!.map(({ name, seconds }) => [name, seconds.length]),
        [
          ['exit-rl', 1],
          ['PyTorch, compiled', 1],
        ],
      );
    }));
});
