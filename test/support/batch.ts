// Packed arrays (as the golden files have them) -> Arrow record batch -> what the addon takes.
import { type Data, Field, Float32, Int32, List, RecordBatch, Schema, Struct, Bool, makeData } from 'apache-arrow';
import type { ColumnDescription } from '../../lib/native/addon.ts';
import { describeBatch } from '../../lib/native/bridge.ts';
import type { TensorFile } from './safetensors.ts';

export interface PackedColumns {
  readonly tokens: Int32Array;
  /** Borders of the sequences (B + 1). */
  readonly offsets: Int32Array;
  readonly loss_mask?: ArrayLike<number> | undefined;
  readonly logprob?: ArrayLike<number> | undefined;
  readonly old_logprob?: ArrayLike<number> | undefined;
  readonly ref_logprob?: ArrayLike<number> | undefined;
  readonly token_advantage?: ArrayLike<number> | undefined;
  /** One per sequence. */
  readonly advantage?: ArrayLike<number> | undefined;
}

const FLOAT_LISTS = ['logprob', 'old_logprob', 'ref_logprob', 'token_advantage'] as const;

export function packBits(mask: ArrayLike<number>): Uint8Array {
  const bits = new Uint8Array((mask.length + 7) >> 3);
  for (let i = 0; i < mask.length; i++) if (mask[i]) bits[i >> 3]! |= 1 << (i & 7);
  return bits;
}

export function arrowBatch(columns: PackedColumns): RecordBatch {
  const fields: Field[] = [];
  const children: Data[] = [];
  const add = (name: string, data: Data): void => {
    fields.push(new Field(name, data.type, false));
    children.push(data);
  };
  const list = (name: string, child: Data): void => {
    const type = new List(new Field('item', child.type, false));
    add(name, makeData({ type, valueOffsets: columns.offsets, child }));
  };
  list('tokens', makeData({ type: new Int32(), data: columns.tokens }));
  if (columns.loss_mask) {
    list('loss_mask', makeData({ type: new Bool(), length: columns.tokens.length, data: packBits(columns.loss_mask) }));
  }
  for (const name of FLOAT_LISTS) {
    const values = columns[name];
    if (values) list(name, makeData({ type: new Float32(), data: Float32Array.from(values) }));
  }
  if (columns.advantage)
    add('advantage', makeData({ type: new Float32(), data: Float32Array.from(columns.advantage) }));
  const length = columns.offsets.length - 1;
  return new RecordBatch(new Schema(fields), makeData({ type: new Struct(fields), length, nullCount: 0, children }));
}

export const describePacked = (columns: PackedColumns): ColumnDescription => describeBatch(arrowBatch(columns));

/** Sequences back to back. */
export function pack(sequences: readonly ArrayLike<number>[]): { tokens: Int32Array; offsets: Int32Array } {
  const offsets = new Int32Array(sequences.length + 1);
  sequences.forEach((s, i) => {
    offsets[i + 1] = offsets[i]! + s.length;
  });
  const tokens = new Int32Array(offsets.at(-1)!);
  sequences.forEach((s, i) => {
    tokens.set(s, offsets[i]);
  });
  return { tokens, offsets };
}

export const prompts = (sequences: readonly ArrayLike<number>[]): ColumnDescription => describePacked(pack(sequences));

/** `name`.input_ids and its borders, however the file spells the prefix. */
export function packedTokens(file: TensorFile, prefix: string): { tokens: Int32Array; offsets: Int32Array } {
  return { tokens: file.ints(`${prefix}input_ids`), offsets: file.ints(`${prefix}cu_seqlens`) };
}

/** Rows of a padded (B, L) tensor without the padding, back to back. */
export function unpad(file: TensorFile, name: string, mask: string): { values: Int32Array; offsets: Int32Array } {
  const [rows, width] = file.get(name).shape as [number, number];
  const [ids, kept] = [file.ints(name), file.ints(mask)];
  const sequences = Array.from({ length: rows }, (_, r) =>
    [...ids.subarray(r * width, (r + 1) * width)].filter((_id, i) => kept[r * width + i] === 1),
  );
  const { tokens, offsets } = pack(sequences);
  return { values: tokens, offsets };
}

/** Supervised batch: every token in the mask has advantage 1. */
export function supervised(tokens: Int32Array, offsets: Int32Array, lossMask: ArrayLike<number>): ColumnDescription {
  return describePacked({
    tokens,
    offsets,
    loss_mask: lossMask,
    token_advantage: new Float32Array(tokens.length).fill(1),
  });
}
