// Columns of lists and structs made from flat ones.
import { type Data, Field, Float64, Int32, List, makeData, Struct } from 'apache-arrow';

/** Row r is items offsets[r] .. offsets[r + 1] - 1. */
export const lists = (offsets: Int32Array, items: Data): Data =>
  makeData({
    type: new List(new Field('item', items.type, false)),
    ...{ length: offsets.length - 1, nullCount: 0, valueOffsets: offsets, child: items },
  });

export const integers = (values: Int32Array): Data => makeData({ type: new Int32(), data: values, nullCount: 0 });
export const floats = (values: Float64Array): Data => makeData({ type: new Float64(), data: values, nullCount: 0 });

/** Sequences of tokens as one column. */
export function tokenLists(sequences: readonly Int32Array[]): { data: Data; offsets: Int32Array } {
  const offsets = new Int32Array(sequences.length + 1);
  for (const [i, sequence] of sequences.entries()) offsets[i + 1] = offsets[i]! + sequence.length;
  const values = new Int32Array(offsets.at(-1)!);
  for (const [i, sequence] of sequences.entries()) values.set(sequence, offsets[i]!);
  return { data: lists(offsets, integers(values)), offsets };
}

/** Columns of equal length side by side. */
export function struct(columns: Readonly<Record<string, Data>>): Data<Struct> {
  const fields = Object.entries(columns).map(([name, { type }]) => new Field(name, type, false));
  const children = Object.values(columns);
  return makeData({ type: new Struct(fields), length: children[0]!.length, nullCount: 0, children });
}
