// What is exported loads in transformers and gives the same logits. Needs a Python with transformers:
// EXIT_RL_PEER_PYTHON names it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { exportModel } from '../../lib/huggingface/export.ts';
import { packageRoot } from '../../lib/config/root.ts';
import type { NativeModel } from '../../lib/native/addon.ts';
import { addon } from '../support/addon.ts';
import { Tally } from '../support/compare.ts';
import { checkpointPath, folder, withModel, withTemporary } from '../support/golden.ts';
import { TensorFile } from '../support/safetensors.ts';

const python = process.env['EXIT_RL_PEER_PYTHON'];
const skip = missingPeer();
const TOKENS = Int32Array.from({ length: 40 }, (_, i) => (i * 53 + 11) % 300);

function missingPeer(): string | false {
  if (!python) return 'EXIT_RL_PEER_PYTHON is not set';
  const { status } = spawnSync(python, ['-c', 'import torch, transformers']);
  return status === 0 ? false : `${python} has no transformers`;
}

interface Answer {
  readonly missing: string[];
  readonly unexpected: string[];
  readonly mismatched: string[];
  readonly dtype: string;
  readonly eos: number | number[] | null;
  readonly tokenizer: number | null;
}

/** Other weights than the stored ones, so that what is compared went through the export. */
function disturb(model: NativeModel): void {
  for (const [i, { name }] of model.parameters.entries()) {
    const values = model.read(name, 'policy');
    model.write(
      name,
      'policy',
      values.map((value, k) => value * (1 + 0.25 * Math.sin(i + k))),
    );
  }
}

test('transformers computes the same logits from exported folders', { skip }, () =>
  withTemporary(async (directory) => {
    const tally = new Tally('exported to transformers');
    const names = folder<object>('checkpoints', { title: null }).cases.map(([name]) => name);
    const requests: { folder: string; tokens: number[]; out: string; tokenizer: boolean }[] = [];
    const expected: Float32Array[] = [];
    for (const name of names) {
      const out = path.join(directory, name);
      // Opened twice: the exported numbers are rounded to the source's type, and it is these that are to agree.
      const opened = await addon.loadModel(checkpointPath(name));
      disturb(opened);
      await exportModel({ loadModel: async () => opened }, checkpointPath(name), out, {
        dtype: 'source',
        maxShardBytes: 2e5,
      });
      await withModel(out, async (model) => {
        expected.push((await model.forward(TOKENS, Int32Array.of(0, TOKENS.length))).logits);
      });
      requests.push({ folder: out, tokens: [...TOKENS], out: `${out}.logits`, tokenizer: true });
    }
    const script = path.join(packageRoot(), 'test', 'peers', 'logits.py');
    const { status, stdout, stderr } = spawnSync(python!, [script, JSON.stringify(requests)], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Answer);
    for (const [i, name] of names.entries()) {
      const { missing, unexpected, mismatched, dtype, tokenizer } = answers[i]!;
      assert.deepEqual({ missing, unexpected, mismatched }, { missing: [], unexpected: [], mismatched: [] }, name);
      assert.equal(dtype, name.includes('bf16') ? 'torch.bfloat16' : 'torch.float32');
      assert.ok((tokenizer ?? 0) > 256, `${name}: the tokenizer loads`);
      const logits = new TensorFile(requests[i]!.out).numbers('logits');
      const largest = logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      tally.close(name, expected[i]!, logits, { atol: 2e-5 * largest, rel_l2_tol: 1e-5 });
      tally.cases++;
    }
    console.log(String(tally));
  }),
);
