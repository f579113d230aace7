// The GGUF file that a benchmark hands to llama.cpp, read back by its own header.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeGguf } from '../../bench/support/gguf.ts';
import { configJson, MODELS } from '../../bench/support/models.ts';
import { addon } from '../../lib/native/load.ts';

interface Entry {
  readonly shape: number[];
  readonly type: number;
  readonly offset: number;
}

function parse(file: Buffer): { values: Map<string, string | number>; tensors: Map<string, Entry>; data: number } {
  let at = 4;
  const skip = (bytes: number): number => {
    at += bytes;
    return at - bytes;
  };
  const u32 = (): number => file.readUInt32LE(skip(4));
  const u64 = (): number => Number(file.readBigUInt64LE(skip(8)));
  const text = (): string => {
    const length = u64();
    return file.toString('utf8', skip(length), at);
  };
  assert.equal(file.toString('latin1', 0, 4), 'GGUF');
  assert.equal(u32(), 3);
  const counts = [u64(), u64()];
  const values = new Map<string, string | number>();
  for (let i = 0; i < counts[1]!; i++) {
    const key = text();
    const type = u32();
    values.set(key, type === 8 ? text() : type === 6 ? file.readFloatLE(skip(4)) : u32());
  }
  const tensors = new Map<string, Entry>();
  for (let i = 0; i < counts[0]!; i++) {
    const name = text();
    const shape = Array.from({ length: u32() }, u64);
    tensors.set(name, { shape, type: u32(), offset: u64() });
  }
  return { values, tensors, data: Math.ceil(at / 32) * 32 };
}

for (const dtype of ['float32', 'bfloat16'] as const) {
  test(`a model as GGUF in ${dtype}`, async () => {
    const shape = MODELS['135k'];
    const model = await addon.createModel(configJson(shape), 1, { dtype: 'float32' });
    const folder = mkdtempSync(join(tmpdir(), 'gguf-'));
    try {
      writeGguf(join(folder, 'm.gguf'), model, shape, dtype);
      const file = readFileSync(join(folder, 'm.gguf'));
      const { values, tensors, data } = parse(file);
      assert.equal(values.get('general.architecture'), 'llama');
      assert.equal(values.get('llama.block_count'), shape.layers);
      assert.equal(tensors.size, model.parameters.length);
      const number = (name: string, i: number): number => {
        const { type, offset } = tensors.get(name)!;
        assert.equal(offset % 32, 0);
        if (type === 0) return file.readFloatLE(data + offset + 4 * i);
        return new Float32Array(Uint32Array.of(file.readUInt16LE(data + offset + 2 * i) << 16).buffer)[0]!;
      };
      const close = (got: number, want: number): void =>
        assert.ok(Math.abs(got - want) <= Math.abs(want) * (dtype === 'float32' ? 0 : 2 ** -8), `${got}, not ${want}`);

      assert.deepEqual(tensors.get('blk.1.ffn_down.weight')!.shape, [shape.feedForward, shape.width]);
      assert.equal(tensors.get('output_norm.weight')!.type, 0);
      assert.equal(tensors.get('token_embd.weight')!.type, dtype === 'float32' ? 0 : 30);
      const down = model.read('model.layers.1.mlp.down_proj.weight', 'policy');
      for (const i of [0, 1, down.length - 1]) close(number('blk.1.ffn_down.weight', i), down[i]!);
      // Row 2 j + h of a head of q and k is row j of its half h.
      const size = shape.width / shape.heads;
      const q = model.read('model.layers.1.self_attn.q_proj.weight', 'policy');
      for (const [head, j, half] of [
        [0, 0, 1],
        [1, 3, 0],
        [3, size / 2 - 1, 1],
      ] as const) {
        const ours = (head * size + half * (size / 2) + j) * shape.width + 5;
        close(number('blk.1.attn_q.weight', (head * size + 2 * j + half) * shape.width + 5), q[ours]!);
      }
      const last = Math.max(...[...tensors.values()].map(({ offset }) => offset));
      assert.ok(file.length > data + last);
    } finally {
      model.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
