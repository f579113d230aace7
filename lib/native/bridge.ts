// apache-arrow <-> native columns, without copying. Only this file knows how arrow-js lays out `Data`.
import {
  Bool,
  type Data,
  DataType,
  Field,
  Float32,
  Int8,
  Int32,
  List,
  makeData,
  Precision,
  RecordBatch,
  Schema,
  Struct,
  vectorFromArray,
} from 'apache-arrow';
import type { ColumnDescription, NativeColumns } from './addon.ts';

/** The format string of a type in Arrow's C Data Interface. Throws for a type that the bridge does not carry. */
export function formatOf(type: DataType): string {
  if (DataType.isDictionary(type)) return formatOf(type.indices);
  if (DataType.isInt(type))
    return { 8: 'cC', 16: 'sS', 32: 'iI', 64: 'lL' }[type.bitWidth]!.charAt(type.isSigned ? 0 : 1);
  if (DataType.isFloat(type)) {
    return { [Precision.HALF]: 'e', [Precision.SINGLE]: 'f', [Precision.DOUBLE]: 'g' }[type.precision];
  }
  if (DataType.isBool(type)) return 'b';
  if (DataType.isUtf8(type)) return 'u';
  if (DataType.isLargeUtf8(type)) return 'U';
  if (DataType.isBinary(type)) return 'z';
  if (DataType.isLargeBinary(type)) return 'Z';
  if (DataType.isList(type)) return '+l';
  if (DataType.isLargeList(type)) return '+L';
  if (DataType.isFixedSizeList(type)) return `+w:${type.listSize}`;
  if (DataType.isStruct(type)) return '+s';
  throw new TypeError(`Arrow type ${String(type)} is not supported`);
}

/**
 * Describes a column for the addon. Buffers are passed as they are; only bits that start inside a byte (a slice of a
 * boolean column or of one with nulls) and dictionaries in several chunks are copied.
 *
 * @example describe(table.getChild('tokens').data[0], 'tokens')
 */
export function describe(data: Data, name = ''): ColumnDescription {
  try {
    return describeColumn(data, name);
  } catch (error) {
    if (name !== '' && error instanceof TypeError) error.message = `column "${name}": ${error.message}`;
    throw error;
  }
}

/** Describes all columns of a batch; slices keep their offsets. */
export const describeBatch = (batch: RecordBatch): ColumnDescription => describe(batch.data);

function describeColumn(data: Data, name: string): ColumnDescription {
  const { offset, length, nullCount } = data;
  const type: DataType = data.type;
  const format = formatOf(type);
  const buffers: (ArrayBufferView | null)[] = [nullCount > 0 ? bits(data.nullBitmap, offset, length) : null];
  if (hasOffsets(type)) buffers.push(fixed(data.valueOffsets));
  // Everything but bits is sliced already: `offset` counts bits only.
  if (DataType.isBool(type)) buffers.push(bits(data.values as Uint8Array, offset, length));
  else if (!type.children) buffers.push(fixed(data.values as ArrayBufferView | undefined));
  // Items of a list are part of their column in messages.
  const inner = DataType.isStruct(type) ? describe : describeColumn;
  const children = (type.children ?? []).map((field: Field, i) =>
    inner(data.children[i] ?? makeData({ type: field.type, length: 0, nullCount: 0 } as never), field.name),
  );
  const dictionary = DataType.isDictionary(type) ? dictionaryOf(data) : null;
  return { format, name, length, nullCount, buffers, children, dictionary };
}

const hasOffsets = (type: DataType): boolean =>
  DataType.isList(type) ||
  DataType.isLargeList(type) ||
  DataType.isUtf8(type) ||
  DataType.isLargeUtf8(type) ||
  DataType.isBinary(type) ||
  DataType.isLargeBinary(type);

function dictionaryOf({ dictionary }: Data): ColumnDescription {
  if (!dictionary) throw new TypeError('its dictionary is missing');
  // A stream that extends its dictionary (delta batches) leaves it in several chunks.
  const whole = dictionary.data.length === 1 ? dictionary : vectorFromArray([...dictionary], dictionary.type);
  return describeColumn(whole.data[0]!, '');
}

/** A resizable buffer could shrink under a running job: Node-API cannot pin it. */
function fixed(view: ArrayBufferView | undefined): ArrayBufferView | null {
  if (view === undefined) return null;
  const { resizable, growable } = view.buffer as { resizable?: boolean; growable?: boolean };
  if (resizable || growable)
    throw new TypeError('its values lie in a resizable ArrayBuffer; copy them into a fixed one');
  return view;
}

function bits(bitmap: Uint8Array | undefined, offset: number, length: number): Uint8Array | null {
  if (!bitmap || bitmap.length === 0) return null;
  fixed(bitmap);
  const first = offset >> 3;
  const shift = offset & 7;
  const bytes = (length + 7) >> 3;
  if (shift === 0) return bitmap.subarray(first, first + bytes);
  const aligned = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) {
    aligned[i] = (bitmap[first + i]! >> shift) | ((bitmap[first + i + 1] ?? 0) << (8 - shift));
  }
  return aligned;
}

const TYPES = {
  i: { type: new Int32(), view: Int32Array },
  f: { type: new Float32(), view: Float32Array },
  c: { type: new Int8(), view: Int8Array },
  b: { type: new Bool(), view: Uint8Array },
} as const;

/** The columns of a native block as a record batch: views into the block, which `release(buffer)` takes away again. */
export function toRecordBatch({ buffer, rows, columns, offsetsByteOffset }: NativeColumns): RecordBatch {
  const offsets = new Int32Array(buffer, offsetsByteOffset, rows + 1);
  const children = columns.map(({ format, list, byteOffset, length }): Data => {
    const { type, view: View } = TYPES[format];
    const values = new View(buffer, byteOffset, format === 'b' ? (length + 7) >> 3 : length);
    const child: Data = makeData({ type, data: values, length, nullCount: 0 } as never);
    if (!list) return child;
    const listType: DataType = new List(new Field('item', type, false));
    return makeData({ type: listType, length: rows, nullCount: 0, valueOffsets: offsets, child } as never);
  });
  const fields = columns.map(({ name }, i) => new Field(name, children[i]!.type, false));
  const data = makeData({ type: new Struct(fields), length: rows, nullCount: 0, children });
  return new RecordBatch(new Schema(fields), data);
}
