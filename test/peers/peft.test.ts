// peft loads the adapters that are saved here and computes the same logits; what it saves loads here with the same bits.
// Needs a Python with peft: EXIT_RL_PEER_PYTHON names it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import { adapt } from '../support/adapter.ts';
import { assertSameBits, Tally } from '../support/compare.ts';
import { checkpointPath, withModel, withTemporary } from '../support/golden.ts';
import { TensorFile } from '../support/safetensors.ts';

const python = process.env['EXIT_RL_PEER_PYTHON'];
const TOKENS = Int32Array.from({ length: 40 }, (_, i) => (i * 53 + 11) % 300);

const CASES: readonly (readonly [checkpoint: string, changes: object])[] = [
  ['llama', {}],
  ['qwen2', { target_modules: ['o_proj', 'gate_proj'], layers_to_transform: [1] }],
  ['qwen3', { target_modules: '.*\\.1\\..*(k|down)_proj', use_rslora: true }],
  ['gemma', { target_modules: ['self_attn.v_proj', 'mlp.up_proj'] }],
];

function missingPeer(): string | false {
  if (!python) return 'EXIT_RL_PEER_PYTHON is not set';
  const { status } = spawnSync(python, ['-c', 'import torch, transformers, peft']);
  return status === 0 ? false : `${python} has no peft`;
}

test('adapters go to peft and back', { skip: missingPeer() }, () =>
  withTemporary(async (directory) => {
    const tally = new Tally('adapters in peft');
    const requests: { folder: string; tokens: number[]; saved: string; out: string }[] = [];
    const expected: Float32Array[] = [];
    for (const [checkpoint, changes] of CASES) {
      const folder = path.join(directory, checkpoint);
      mkdirSync(folder);
      await withModel(checkpointPath(checkpoint), async (model) => {
        await adapt(model, changes);
        await model.saveAdapter(path.join(folder, 'adapter_model.safetensors'));
        writeFileSync(path.join(folder, 'adapter_config.json'), model.adapter!.config);
        expected.push((await model.forward(TOKENS, Int32Array.of(0, TOKENS.length))).logits);
      });
      requests.push({ folder, tokens: [...TOKENS], saved: `${folder}-saved`, out: `${folder}.logits` });
    }
    const script = path.join(packageRoot(), 'test', 'peers', 'peft_adapters.py');
    const { status, stderr } = spawnSync(python!, [script, JSON.stringify(requests)], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    for (const [i, [checkpoint]] of CASES.entries()) {
      const logits = new TensorFile(requests[i]!.out).numbers('logits');
      const largest = logits.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      tally.close(checkpoint, expected[i]!, logits, { atol: 2e-5 * largest, rel_l2_tol: 1e-5 });
      tally.cases++;
      await withModel(checkpointPath(checkpoint), async (model) => {
        await model.loadAdapter(requests[i]!.saved);
        const { logits: again } = await model.forward(TOKENS, Int32Array.of(0, TOKENS.length));
        assertSameBits(`${checkpoint}: the adapter that peft saved`, again, expected[i]!);
      });
    }
    console.log(String(tally));
  }),
);
