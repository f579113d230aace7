// Batches that were not sampled: prompts for the sampler, demonstrations for the supervised warm-up.
import {
  Float32,
  Int32,
  type List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Bool,
  type Field,
  type Data,
} from 'apache-arrow';
import type { Batch } from '../types.ts';
import { tokenLists } from './lists.ts';
import { GENERATED_FIELDS, LEARNING_FIELDS } from './schema.ts';

const fieldOf = (name: string): Field =>
  [...GENERATED_FIELDS, ...LEARNING_FIELDS].find((field) => field.name === name)!;

/** What the sampler takes. */
export function promptBatch(prompts: readonly Int32Array[]): Batch {
  const fields = [fieldOf('tokens')];
  const children = [tokenLists(prompts).data];
  const data = makeData({ type: new Struct(fields), length: prompts.length, nullCount: 0, children });
  return new RecordBatch(new Schema(fields), data);
}

/** Prompt-answer pairs with the loss on the answers, each with advantage 1: what the `nll` loss imitates. */
export function demonstrationBatch(pairs: readonly { prompt: Int32Array; answer: Int32Array }[]): Batch {
  const rows = pairs.map(({ prompt, answer }) => {
    const row = new Int32Array(prompt.length + answer.length);
    row.set(prompt);
    row.set(answer, prompt.length);
    return row;
  });
  const { data: tokens, offsets } = tokenLists(rows);
  const length = offsets.at(-1)!;
  const bits = new Uint8Array(Math.ceil(length / 8));
  for (const [i, { prompt }] of pairs.entries()) {
    for (let t = offsets[i]! + prompt.length; t < offsets[i + 1]!; t++) bits[t >> 3]! |= 1 << (t & 7);
  }
  const maskType = fieldOf('loss_mask').type as List<Bool>;
  const mask = makeData({ type: new Bool(), data: bits, length, nullCount: 0 });
  const fields = ['tokens', 'loss_mask', 'prompt_length', 'advantage'].map(fieldOf);
  const children: Data[] = [
    tokens,
    makeData({ type: maskType, length: pairs.length, nullCount: 0, valueOffsets: offsets, child: mask }),
    makeData({ type: new Int32(), data: Int32Array.from(pairs, ({ prompt }) => prompt.length), nullCount: 0 }),
    makeData({ type: new Float32(), data: new Float32Array(pairs.length).fill(1), nullCount: 0 }),
  ];
  const type = new Struct(fields);
  return new RecordBatch(new Schema(fields), makeData({ type, length: pairs.length, nullCount: 0, children }));
}
