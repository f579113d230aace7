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
import type { SampledTurn } from '../rollout/rollout.ts';
import type { Batch, Group } from '../types.ts';
import { LEARNING_FIELDS, ROLLOUT_SCHEMA } from './schema.ts';
import { joinSampled } from './sampled.ts';

/** Builds the batch of a step: one row per answer sampled. Of a single turn, token data stays where the sampler put it. */
export function rolloutBatch(
  turns: readonly SampledTurn[],
  environment: string,
  groups: readonly Group[],
  advantages: readonly (readonly number[])[],
): Batch {
  const rows = turns.flatMap(({ owners, turn }) => owners.map(([g, i]): Row => ({ group: groups[g]!, g, i, turn })));
  const generated =
    turns.length === 1
      ? turns[0]!.sampled.data
      : joinSampled(turns.map(({ sampled, owners }) => ({ sampled, rows: [...owners.keys()] })));
  const learning = LEARNING_FIELDS.map((field) => column(field, rows, environment, advantages));
  const type = new Struct(ROLLOUT_SCHEMA.fields);
  const data = makeData({ type, length: rows.length, nullCount: 0, children: [...generated, ...learning] });
  return new RecordBatch(ROLLOUT_SCHEMA, data);
}

interface Row {
  readonly group: Group;
  readonly g: number;
  /** Index of the attempt in its group. */
  readonly i: number;
  /** 0: the step itself; later ones complete the episode. */
  readonly turn: number;
}

function column(
  field: Field,
  rows: readonly Row[],
  environment: string,
  advantages: readonly (readonly number[])[],
): Data {
  const integers = (value: (row: Row) => number): Data =>
    makeData({ type: new Int32(), data: Int32Array.from(rows, value), nullCount: 0 });
  switch (field.name) {
    case 'group_id':
      return integers(({ g }) => g);
    case 'attempt':
      return integers(({ i }) => i);
    case 'instance':
      return integers(({ group }) => group.task.instance);
    case 'turn':
      return integers(({ group, turn }) => group.task.history.length + turn);
    case 'depth':
      return integers(({ group, turn }) => (turn === 0 ? group.task.depth : 0));
    case 'environment':
      return texts(field, new Array<string>(rows.length).fill(environment));
    case 'mode':
      return texts(
        field,
        rows.map(({ group, turn }) => (turn === 0 ? group.task.mode : 'base')),
      );
    case 'quality':
      return nullableFloats(
        field,
        rows.map(
          ({ group, i, turn }) => (turn === 0 ? group.attempts[i] : group.later[i]?.[turn - 1])?.quality ?? null,
        ),
      );
    case 'reward':
      return nullableFloats(
        field,
        rows.map(({ group, i }) => group.rewards[i]!),
      );
    case 'advantage':
      return makeData({
        type: field.type,
        data: Float32Array.from(rows, ({ g, i }) => advantages[g]![i]!),
        nullCount: 0,
      } as never);
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
