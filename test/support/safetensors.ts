// A second, independent reader of safetensors (the product's own is native), and a writer that can lie.
import { readFileSync, writeFileSync } from 'node:fs';

export type TensorData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array;

export interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  BF16: Uint16Array,
  F16: Uint16Array,
} as const;

export class TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, Tensor>;

  constructor(path: string) {
    const file = readFileSync(path);
    const headerBytes = Number(file.readBigUInt64LE(0));
    const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
      string,
      { dtype: keyof typeof ARRAYS; shape: number[]; data_offsets: [number, number] }
    >;
    const tensors = new Map<string, Tensor>();
    for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const [begin, end] = data_offsets;
      // A copy, because typed arrays want aligned offsets and the format does not promise them.
      const bytes = new Uint8Array(file.subarray(8 + headerBytes + begin, 8 + headerBytes + end)).buffer;
      tensors.set(name, { dtype, shape, data: new ARRAYS[dtype](bytes) });
    }
    this.path = path;
    this.tensors = tensors;
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  get(name: string): Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`${this.path} has no tensor ${name}`);
    return tensor;
  }

  /** Any float or integer tensor as doubles. */
  numbers(name: string): Float64Array {
    return Float64Array.from(this.get(name).data as Iterable<number>);
  }

  ints(name: string): Int32Array {
    return Int32Array.from(this.get(name).data as Iterable<number>);
  }

  scalar(name: string): number {
    return this.numbers(name)[0]!;
  }

  /** Names that start with a prefix, without it. */
  under(prefix: string): string[] {
    return [...this.tensors.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }
}

/** A file with any header text and any payload, true or not. */
export function writeRawSafetensors(path: string, header: string, payload: Uint8Array, headerBytes?: bigint): void {
  const text = Buffer.from(header, 'utf8');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(headerBytes ?? BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, payload]));
}
