// What the sampler returns, as Arrow columns over its one native block: views, never copies.
import { type Data, DataType, makeData, Type } from 'apache-arrow';
import type { Addon, GenerateResult } from '../native/addon.ts';
import { toRecordBatch } from '../native/bridge.ts';
import { GENERATED_FIELDS } from './schema.ts';

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
  /** Memory of the tokens: the native block, to be released when nothing looks at the columns any more; of a copy, its own. */
  readonly block: ArrayBuffer;
  /** Mean hidden state (rows, C) of every answer; null where the sampler was not asked for it. */
  readonly embeddings: Float32Array | null;
  readonly #native: boolean;

  private constructor(data: readonly Data[], embeddings: Float32Array | null, native: boolean) {
    const column = (name: string): Data => data[GENERATED_FIELDS.findIndex((field) => field.name === name)]!;
    this.data = data;
    this.rows = data[0]!.length;
    this.offsets = column('tokens').valueOffsets;
    this.tokens = column('tokens').children[0]!.values as Int32Array;
    this.promptLength = column('prompt_length').values as Int32Array;
    this.finishReason = column('finish_reason').values as Int8Array;
    this.block = this.tokens.buffer as ArrayBuffer;
    this.embeddings = embeddings;
    this.#native = native;
  }

  static of({ columns, embeddings }: Pick<GenerateResult, 'columns' | 'embeddings'>): Sampled {
    const batch = toRecordBatch(columns);
    const data = GENERATED_FIELDS.map(({ name }) => {
      const column = batch.getChild(name)?.data[0];
      if (column === undefined) throw new Error(`the sampler returned no column "${name}"`);
      return column;
    });
    return new Sampled(data, embeddings, true);
  }

  /** A copy of some rows: the native blocks may go. */
  pick(rows: readonly number[]): Sampled {
    const width = (this.embeddings?.length ?? 0) / this.rows;
    const embeddings = this.embeddings && new Float32Array(rows.length * width);
    for (const [i, row] of rows.entries()) {
      embeddings?.set(this.embeddings!.subarray(row * width, (row + 1) * width), i * width);
    }
    return new Sampled(joinSampled([{ sampled: this, rows }]), embeddings, false);
  }

  /** Gives the native blocks back. Nothing may look at the columns or embeddings any more. */
  release(addon: Pick<Addon, 'release'>): void {
    if (!this.#native) return;
    addon.release(this.block);
    if (this.embeddings !== null) addon.release(this.embeddings.buffer as ArrayBuffer);
  }

  /** The answer of a row, a view: copy it to keep it beyond the block. */
  completion(row: number): Int32Array {
    return this.tokens.subarray(this.offsets[row]! + this.promptLength[row]!, this.offsets[row + 1]!);
  }
}

/** Chosen rows of several generate calls below each other, copied. */
export function joinSampled(parts: readonly { sampled: Sampled; rows: readonly number[] }[]): Data[] {
  const rows = parts.flatMap(({ sampled, rows: chosen }) => chosen.map((row) => ({ sampled, row })));
  const offsets = new Int32Array(rows.length + 1);
  for (const [i, { sampled, row }] of rows.entries())
    offsets[i + 1] = offsets[i]! + sampled.offsets[row + 1]! - sampled.offsets[row]!;
  const tokens = offsets[rows.length]!;
  const mask = new Uint8Array((tokens + 7) >> 3);
  for (const [i, { sampled, row }] of rows.entries())
    for (let t = offsets[i]! + sampled.promptLength[row]!; t < offsets[i + 1]!; t++) mask[t >> 3]! |= 1 << (t & 7);

  return GENERATED_FIELDS.map((field, column): Data => {
    const { type } = field;
    if (!DataType.isList(type)) {
      const values = rows.map(({ sampled, row }) => sampled.data[column]!.values[row] as number);
      const data = type.typeId === Type.Int8 ? Int8Array.from(values) : Int32Array.from(values);
      return makeData({ type, data, nullCount: 0 } as never);
    }
    const item = type.children[0]!.type;
    let data: Uint8Array | Int32Array | Float32Array = mask;
    if (field.name !== 'loss_mask') {
      data = DataType.isInt(item) ? new Int32Array(tokens) : new Float32Array(tokens);
      for (const [i, { sampled, row }] of rows.entries()) {
        const source = sampled.data[column]!.children[0]!.values as Int32Array | Float32Array;
        data.set(source.subarray(sampled.offsets[row]!, sampled.offsets[row + 1]!), offsets[i]!);
      }
    }
    const child = makeData({ type: item, data, length: tokens, nullCount: 0 } as never);
    return makeData({ type, length: rows.length, nullCount: 0, valueOffsets: offsets, child } as never);
  });
}
