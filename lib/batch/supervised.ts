// Batches that were not sampled: prompts for the sampler, examples for supervised steps.
import { Float32, type List, makeData, RecordBatch, Schema, Struct, Bool, type Field, type Data } from 'apache-arrow';
import type { Example } from '../sft/example.ts';
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

/** Examples with the loss on the tokens in their masks, each with advantage 1: what the `nll` loss imitates. */
export function exampleBatch(examples: readonly Example[]): Batch {
  const { data: tokens, offsets } = tokenLists(examples.map((example) => example.tokens));
  const length = offsets.at(-1)!;
  const bits = new Uint8Array(Math.ceil(length / 8));
  for (const [i, { mask }] of examples.entries()) {
    for (const [t, trained] of mask.entries()) {
      if (trained !== 0) bits[(offsets[i]! + t) >> 3]! |= 1 << ((offsets[i]! + t) & 7);
    }
  }
  const maskType = fieldOf('loss_mask').type as List<Bool>;
  const mask = makeData({ type: new Bool(), data: bits, length, nullCount: 0 });
  const fields = ['tokens', 'loss_mask', 'advantage'].map(fieldOf);
  const children: Data[] = [
    tokens,
    makeData({ type: maskType, length: examples.length, nullCount: 0, valueOffsets: offsets, child: mask }),
    makeData({ type: new Float32(), data: new Float32Array(examples.length).fill(1), nullCount: 0 }),
  ];
  const type = new Struct(fields);
  return new RecordBatch(new Schema(fields), makeData({ type, length: examples.length, nullCount: 0, children }));
}
