// What the sampler returns, as Arrow columns over its one native block: views, never copies.
import { type Data, type List, makeData } from 'apache-arrow';
import type { NativeColumns } from '../native/addon.ts';
import { toRecordBatch } from '../native/bridge.ts';
import { GENERATED_FIELDS } from './schema.ts';

/** The attempts of one generate call. Rows: prompt 0 sample 0, prompt 0 sample 1, ... */
export class Sampled {
  readonly rows: number;
  /** Row r is tokens[offsets[r] .. offsets[r + 1]): prompt, then completion. */
  readonly offsets: Int32Array;
  readonly tokens: Int32Array;
  readonly promptLength: Int32Array;
  /** Arrow data of GENERATED_FIELDS. */
  readonly data: readonly Data[];
  /** The native block, to be released when nothing looks at the columns any more. */
  readonly block: ArrayBuffer;

  constructor(native: NativeColumns) {
    const batch = toRecordBatch(native);
    const column = (name: string): Data => {
      const data = batch.getChild(name)?.data[0];
      if (data === undefined) throw new Error(`the sampler returned no column "${name}"`);
      return data;
    };
    this.block = native.buffer;
    this.rows = native.rows;
    this.data = GENERATED_FIELDS.map((field) => column(field.name));
    this.offsets = column('tokens').valueOffsets;
    this.tokens = column('tokens').children[0]!.values as Int32Array;
    this.promptLength = column('prompt_length').values as Int32Array;
  }

  /** The answer of a row, a view: copy it to keep it beyond the block. */
  completion(row: number): Int32Array {
    return this.tokens.subarray(this.offsets[row]! + this.promptLength[row]!, this.offsets[row + 1]!);
  }
}

/** The columns of several generate calls below each other, copied. */
export function joinSampled(parts: readonly Sampled[]): Data[] {
  const rows = parts.reduce((n, part) => n + part.rows, 0);
  const tokens = parts.reduce((n, part) => n + part.tokens.length, 0);
  const offsets = new Int32Array(rows + 1);
  const mask = new Uint8Array((tokens + 7) >> 3);
  let row = 0;
  for (const part of parts) {
    const start = offsets[row]!;
    for (let r = 0; r < part.rows; r++, row++) {
      offsets[row + 1] = start + part.offsets[r + 1]!;
      for (let t = start + part.offsets[r]! + part.promptLength[r]!; t < offsets[row + 1]!; t++)
        mask[t >> 3]! |= 1 << (t & 7);
    }
  }
  return GENERATED_FIELDS.map((field, column): Data => {
    const { type } = field;
    const isList = 'children' in type && type.children !== null;
    const values = parts.map(({ data }) => (isList ? data[column]!.children[0]!.values : data[column]!.values));
    if (!isList) return makeData({ type, data: concatenate(values), nullCount: 0 } as never);
    const item = (type as List).children[0]!.type;
    const data = field.name === 'loss_mask' ? mask : concatenate(values);
    const child = makeData({ type: item, data, length: tokens, nullCount: 0 } as never);
    return makeData({ type, length: rows, nullCount: 0, valueOffsets: offsets, child } as never);
  });
}

type Values = Int32Array | Float32Array | Int8Array;

function concatenate(parts: readonly Values[]): Values {
  const all = new (parts[0]!.constructor as new (length: number) => Values)(
    parts.reduce((n, part) => n + part.length, 0),
  );
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
