import { type Data, Field, Float32, List, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import type { Batch } from '../types.ts';
import type { OPTIONAL_UPDATE_COLUMNS } from './schema.ts';

/** The batch with one more list column that runs along `tokens`. */
export function withTokenValues(
  batch: Batch,
  name: (typeof OPTIONAL_UPDATE_COLUMNS)[number],
  values: Float32Array,
): Batch {
  const tokens = batch.getChild('tokens')!.data[0]!;
  const type = new List(new Field('item', new Float32(), false));
  const child = makeData({ type: new Float32(), data: values, nullCount: 0 });
  const column = makeData({ type, length: batch.numRows, nullCount: 0, valueOffsets: tokens.valueOffsets, child });
  const fields = [...batch.schema.fields, new Field(name, type, false)];
  const children: Data[] = [...batch.data.children, column];
  return new RecordBatch(
    new Schema(fields),
    makeData({ type: new Struct(fields), length: batch.numRows, nullCount: 0, children }),
  );
}
