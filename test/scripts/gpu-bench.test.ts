// gpu:bench: what a benchmark has measured is kept when it fails or is stopped.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { inTemporaryFolder } from '../support/cli.ts';
import { Packed } from '../support/packed.ts';

const BENCH = `
const [name, ...args] = process.argv.slice(2);
const write = (complete, running, notMeasured = []) =>
  require('fs').writeFileSync(process.argv.at(-1), JSON.stringify({ complete, running, results: [{ name, notMeasured }] }));
if (name === 'gpu-ops') write(true, null, [{ label: 'gemm', reason: 'cuBLASLt: not found' }]);
if (name === 'gpu-train') {
  write(false, 'Qwen');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
if (name === 'gpu-rollout') {
  if (args.includes('--after')) process.exit(args[args.indexOf('--after') + 1] === 'one sequence' ? 1 : 2);
  write(false, 'one sequence', [{ label: 'one sequence', reason: 'lost' }]);
  process.exit(3);
}
if (name === 'gpu-peers') write(true, null, [{ label: 'train', reason: 'out of memory' }]);
`;

test('every benchmark leaves what it has, with card and commit, and says whether it is whole', () =>
  inTemporaryFolder(async (folder) => {
    const packed = new Packed(folder, { bench: BENCH });
    assert.equal(await packed.run('bench', { EXIT_RL_GPU_LIMIT: '2' }), 1);
    const parts = packed.results('card-100/bench.json').parts.map(({ name, status, reason }) => [name, status, reason]);
    assert.deepEqual(parts, [
      ['doctor', 'passed', undefined],
      ['gpu-ops', 'passed', 'without cuBLASLt: not found'],
      ['gpu-ops-without-wgmma', 'passed', 'without cuBLASLt: not found'],
      ['gpu-train', 'unfinished', 'stopped after 2 s in Qwen'],
      ['gpu-rollout', 'failed', 'exit code 3 in one sequence; one sequence: lost'],
      ['gpu-rollout-2', 'failed', 'exit code 1, nothing was written'],
      ['gpu-peers', 'failed', 'train: out of memory'],
    ]);
    for (const [name, complete] of [
      ['gpu-ops', true],
      ['gpu-train', false],
    ] as const) {
      const file = path.join(folder, `results/card-100/${name}.json`);
      const content = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
      assert.deepEqual([content['commit'], content['complete']], ['abc', complete]);
    }
  }));
