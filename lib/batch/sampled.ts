// What the sampler returns, as Arrow columns over its one native block: views, never copies.
import { type Data, DataType, type Field, makeData } from 'apache-arrow';
import type { NativeColumns } from '../native/addon.ts';
import { GENERATED_FIELDS } from './schema.ts';

type Values = Int32Array | Float32Array | Int8Array | Uint8Array;

/** The attempts of one generate call. Rows: prompt 0 sample 0, prompt 0 sample 1, ... */
export class Sampled {
  readonly rows: number;
  /** Row r is tokens[offsets[r] .. offsets[r + 1]): prompt, then completion. */
  readonly offsets: Int32Array;
  readonly tokens: Int32Array;
  readonly promptLength: Int32Array;
  /** 0 stop token, 1 stop sequence, 2 length. */
  readonly finishReason: Int8Array;
  /** Arrow data of GENERATED_FIELDS. */
  readonly data: readonly Data[];
  /** The native block, to be released when nothing looks at the columns any more. */
  readonly block: ArrayBuffer;

  constructor(native: NativeColumns) {
    this.block = native.buffer;
    this.rows = native.rows;
    this.offsets = new Int32Array(native.buffer, native.offsetsByteOffset, native.rows + 1);
    const values = new Map(native.columns.map((column) => [column.name, viewOf(native.buffer, column)]));
    const take = (name: string): Values => {
      const view = values.get(name);
      if (view === undefined) throw new Error(`the sampler returned no column "${name}"`);
      return view;
    };
    this.tokens = take('tokens') as Int32Array;
    this.promptLength = take('prompt_length') as Int32Array;
    this.finishReason = take('finish_reason') as Int8Array;
    this.data = GENERATED_FIELDS.map((field) => columnData(field, take(field.name), this.offsets));
  }

  /** The answer of a row, a view: copy it to keep it beyond the block. */
  completion(row: number): Int32Array {
    return this.tokens.subarray(this.offsets[row]! + this.promptLength[row]!, this.offsets[row + 1]!);
  }
}

function viewOf(buffer: ArrayBuffer, column: NativeColumns['columns'][number]): Values {
  const { format, byteOffset, length } = column;
  if (format === 'i') return new Int32Array(buffer, byteOffset, length);
  if (format === 'f') return new Float32Array(buffer, byteOffset, length);
  if (format === 'c') return new Int8Array(buffer, byteOffset, length);
  return new Uint8Array(buffer, byteOffset, Math.ceil(length / 8));
}

/** Arrow data of a column over given values; list columns take the offsets of their rows. */
export function columnData(field: Field, values: Values, offsets: Int32Array): Data {
  const { type } = field;
  if (!DataType.isList(type)) return makeData({ type, data: values, nullCount: 0 } as Parameters<typeof makeData>[0]);
  // The length is given because makeData would take bytes * 8 of a bit-packed column.
  const length = offsets.at(-1)!;
  const child = makeData({ type: type.valueType, data: values, length, nullCount: 0 } as Parameters<typeof makeData>[0]);
  return makeData({ type, length: offsets.length - 1, nullCount: 0, valueOffsets: offsets, child });
}
