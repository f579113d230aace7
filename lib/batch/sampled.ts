// What the sampler returns, as Arrow columns over its one native block: views, never copies.
import type { Data } from 'apache-arrow';
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
