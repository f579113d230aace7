// A model of ours as a GGUF file, for llama.cpp: architecture "llama", tied embeddings, no vocabulary (token ids only).
import { closeSync, openSync, writeSync } from 'node:fs';
import type { NativeModel } from '../../lib/native/addon.ts';
import type { BenchModel } from './models.ts';

type Value = { u32: number } | { f32: number } | { string: string };
interface Tensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: (typeof TYPES)[keyof typeof TYPES];
  readonly values: () => Float32Array;
}

const TYPES = { float32: { code: 0, bytes: 4 }, bfloat16: { code: 30, bytes: 2 } } as const;
const VALUE_TYPES = { u32: 4, f32: 6, string: 8 } as const;
const ALIGNMENT = 32;

const PARTS: readonly (readonly [ours: string, theirs: string])[] = [
  ['input_layernorm', 'attn_norm'],
  ['self_attn.q_proj', 'attn_q'],
  ['self_attn.k_proj', 'attn_k'],
  ['self_attn.v_proj', 'attn_v'],
  ['self_attn.o_proj', 'attn_output'],
  ['post_attention_layernorm', 'ffn_norm'],
  ['mlp.gate_proj', 'ffn_gate'],
  ['mlp.up_proj', 'ffn_up'],
  ['mlp.down_proj', 'ffn_down'],
];

/** Writes the policy's weights; matrices in `dtype`, norms in float32. */
export function writeGguf(path: string, model: NativeModel, shape: BenchModel, dtype: keyof typeof TYPES): void {
  const names: (readonly [string, string])[] = [
    ['model.embed_tokens', 'token_embd'],
    ['model.norm', 'output_norm'],
    ...Array.from({ length: shape.layers }, (_, l) =>
      PARTS.map(([ours, theirs]) => [`model.layers.${l}.${ours}`, `blk.${l}.${theirs}`] as const),
    ).flat(),
  ];
  const shapes = new Map(model.parameters.map((parameter) => [parameter.name, parameter.shape]));
  const tensors = names.map(([ours, theirs]): Tensor => {
    const dimensions = shapes.get(`${ours}.weight`);
    if (!dimensions) throw new Error(`the model has no tensor ${ours}.weight`);
    const rotated = /[qk]_proj$/.test(ours);
    const values = (): Float32Array => {
      const all = model.read(`${ours}.weight`, 'policy');
      return rotated ? neighbouring(all, shape) : all;
    };
    const type = dimensions.length === 1 ? TYPES.float32 : TYPES[dtype];
    return { name: `${theirs}.weight`, shape: dimensions, type, values };
  });
  const file = openSync(path, 'w');
  try {
    writeSync(file, header(metadata(shape), tensors));
    for (const { type, values } of tensors) {
      const bytes = type === TYPES.bfloat16 ? halves(values()) : values();
      writeAll(file, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      writeAll(file, new Uint8Array(padded(bytes.byteLength) - bytes.byteLength));
    }
  } finally {
    closeSync(file);
  }
}

function metadata({ width, layers, heads, feedForward, vocabulary }: BenchModel): Record<string, Value> {
  return {
    'general.architecture': { string: 'llama' },
    'general.alignment': { u32: ALIGNMENT },
    'llama.context_length': { u32: 1024 },
    'llama.embedding_length': { u32: width },
    'llama.block_count': { u32: layers },
    'llama.feed_forward_length': { u32: feedForward },
    'llama.attention.head_count': { u32: heads },
    'llama.attention.head_count_kv': { u32: heads },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    'llama.rope.freq_base': { f32: 10000 },
    'llama.rope.dimension_count': { u32: width / heads },
    'llama.vocab_size': { u32: vocabulary },
    'tokenizer.ggml.model': { string: 'no_vocab' },
  };
}

function header(values: Readonly<Record<string, Value>>, tensors: readonly Tensor[]): Buffer {
  const pieces: Buffer[] = [];
  const number = (n: number, bytes: 4 | 8): void => {
    const piece = Buffer.alloc(bytes);
    piece.writeUInt32LE(n % 2 ** 32);
    if (bytes === 8) piece.writeUInt32LE(Math.floor(n / 2 ** 32), 4);
    pieces.push(piece);
  };
  const text = (s: string): void => {
    number(Buffer.byteLength(s), 8);
    pieces.push(Buffer.from(s));
  };
  pieces.push(Buffer.from('GGUF'));
  number(3, 4);
  number(tensors.length, 8);
  number(Object.keys(values).length, 8);
  for (const [key, value] of Object.entries(values)) {
    text(key);
    number(VALUE_TYPES[Object.keys(value)[0] as keyof typeof VALUE_TYPES], 4);
    if ('string' in value) text(value.string);
    else if ('u32' in value) number(value.u32, 4);
    else pieces.push(Buffer.from(Float32Array.of(value.f32).buffer));
  }
  let at = 0;
  for (const { name, shape, type } of tensors) {
    text(name);
    number(shape.length, 4);
    for (const n of [...shape].reverse()) number(n, 8); // the fastest dimension first
    number(type.code, 4);
    number(at, 8);
    at += padded(shape.reduce((product, n) => product * n, 1) * type.bytes);
  }
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return Buffer.concat([...pieces, Buffer.alloc(padded(length) - length)]);
}

const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** llama.cpp rotates neighbouring rows of a head, the Hugging Face layout a row of each half. */
function neighbouring(values: Float32Array, { width, heads }: BenchModel): Float32Array {
  const out = new Float32Array(values.length);
  const size = width / heads;
  for (let row = 0; row < width; row++) {
    const at = row % size;
    const from = row - at + (at % 2) * (size / 2) + (at >> 1);
    out.set(values.subarray(from * width, (from + 1) * width), row * width);
  }
  return out;
}

/** bfloat16, rounded to nearest even. */
function halves(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = (bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1)) >>> 16;
  return out;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, 1 << 28));
}
