// One step's batch: the sampler's columns and, beside them, what the loop knows of every row.
import {
  type Data,
  type Dictionary,
  type Field,
  Int32,
  makeData,
  RecordBatch,
  Struct,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { Batch, Group } from '../types.ts';
import { LEARNING_FIELDS, ROLLOUT_SCHEMA } from './schema.ts';
import type { Sampled } from './sampled.ts';

/** Builds the batch of a step; token data stays where the sampler put it. */
export function rolloutBatch(
  sampled: Sampled,
  environment: string,
  groups: readonly Group[],
  advantages: readonly (readonly number[])[],
): Batch {
  const learning: Record<string, Data> = {};
  for (const field of LEARNING_FIELDS)
    learning[field.name] = column(field, sampled.rows, environment, groups, advantages);
  const children = [...sampled.data, ...LEARNING_FIELDS.map((field) => learning[field.name]!)];
  const type = new Struct(ROLLOUT_SCHEMA.fields);
  return new RecordBatch(ROLLOUT_SCHEMA, makeData({ type, length: sampled.rows, nullCount: 0, children }));
}

function column(
  field: Field,
  rows: number,
  environment: string,
  groups: readonly Group[],
  advantages: readonly (readonly number[])[],
): Data {
  const ofGroup = (value: (group: Group, index: number) => number): Data => {
    const data = Int32Array.from(groups.flatMap((group, g) => group.attempts.map(() => value(group, g))));
    return makeData({ type: new Int32(), data, nullCount: 0 });
  };
  switch (field.name) {
    case 'group_id':
      return ofGroup((_, index) => index);
    case 'instance':
      return ofGroup(({ task }) => task.instance);
    case 'depth':
      return ofGroup(({ task }) => task.depth);
    case 'environment':
      return texts(field, new Array<string>(rows).fill(environment));
    case 'mode':
      return texts(
        field,
        groups.flatMap(({ task, attempts }) => attempts.map(() => task.mode)),
      );
    case 'quality':
      return nullableFloats(
        field,
        groups.flatMap(({ attempts }) => attempts.map((attempt) => attempt?.quality ?? null)),
      );
    case 'reward':
      return nullableFloats(
        field,
        groups.flatMap(({ rewards }) => rewards),
      );
    case 'advantage':
      return makeData({ type: field.type, data: Float32Array.from(advantages.flat()), nullCount: 0 } as never);
    default:
      throw new Error(`no value for the column "${field.name}"`);
  }
}

function texts(field: Field, values: readonly string[]): Data {
  const words = [...new Set(values)];
  const type = field.type as Dictionary<Utf8, Int32>;
  const data = Int32Array.from(values, (value) => words.indexOf(value));
  return makeData({ type, data, nullCount: 0, dictionary: vectorFromArray(words, new Utf8()) });
}

function nullableFloats(field: Field, values: readonly (number | null)[]): Data {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  for (const [i, value] of values.entries()) {
    if (value === null) nullCount++;
    else nullBitmap[i >> 3]! |= 1 << (i & 7);
  }
  const data = Float32Array.from(values, (value) => value ?? 0);
  return makeData({ type: field.type, data, nullCount, nullBitmap } as never);
}
