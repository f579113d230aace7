// A model folder of any size with random numbers in bfloat16, written without holding it in memory.
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchModel, configJson } from './models.ts';

export type FileModel = BenchModel;

function shapesOf({ width, layers, feedForward, vocabulary }: FileModel): [string, number[]][] {
  const layer = (l: number): [string, number[]][] => {
    const name = (part: string): string => `model.layers.${l}.${part}.weight`;
    const square = ['q_proj', 'k_proj', 'v_proj', 'o_proj'].map((part): [string, number[]] => [
      name(`self_attn.${part}`),
      [width, width],
    ]);
    return [
      [name('input_layernorm'), [width]],
      ...square,
      [name('post_attention_layernorm'), [width]],
      [name('mlp.gate_proj'), [feedForward, width]],
      [name('mlp.up_proj'), [feedForward, width]],
      [name('mlp.down_proj'), [width, feedForward]],
    ];
  };
  const all = Array.from({ length: layers }, (_, l) => layer(l)).flat();
  return [['model.embed_tokens.weight', [vocabulary, width]], ...all, ['model.norm.weight', [width]]];
}

/** Writes config.json and model.safetensors; returns the number of parameters. */
export function writeRandomCheckpoint(folder: string, model: FileModel): number {
  let at = 0;
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  for (const [name, shape] of shapesOf(model)) {
    const bytes = 2 * shape.reduce((product, n) => product * n, 1);
    header[name] = { dtype: 'BF16', shape, data_offsets: [at, at + bytes] };
    at += bytes;
  }
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(join(folder, 'config.json'), configJson(model));
  const file = openSync(join(folder, 'model.safetensors'), 'w');
  writeSync(file, length);
  writeSync(file, padded);
  const piece = randomBfloat16(1 << 22);
  for (let done = 0; done < at; ) done += writeSync(file, piece, 0, Math.min(piece.length, at - done));
  closeSync(file);
  return at / 2;
}

/** Numbers between -1 and 1 of all sizes. */
function randomBfloat16(bytes: number): Uint8Array {
  const out = new Uint16Array(bytes / 2);
  let state = 1;
  for (let i = 0; i < out.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = ((state >>> 16) & 0x807f) | ((0x70 + ((state >>> 8) & 0xf)) << 7);
  }
  return new Uint8Array(out.buffer);
}
