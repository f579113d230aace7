// Arrow batches to C++ and back without copies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Bool,
  type Data,
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Int8,
  Int32,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import type { ColumnDescription } from '../../lib/native/addon.ts';
import { describe, describeBatch, formatOf, toRecordBatch } from '../../lib/native/bridge.ts';
import { addon } from '../support/addon.ts';

const item = (type: Int32 | Float32 | Bool): Field => new Field('item', type, false);
const intList = (offsets: number[], values: Int32Array): Data =>
  makeData({
    type: new List(item(new Int32())),
    length: offsets.length - 1,
    nullCount: 0,
    valueOffsets: Int32Array.from(offsets),
    child: makeData({ type: new Int32(), data: values, nullCount: 0 }),
  } as never);
const refuses = (
  change: Partial<ColumnDescription>,
  message: RegExp,
  of: Data = intList([0, 2, 3], Int32Array.of(1, 2, 3)),
) => assert.throws(() => addon.inspectColumn({ ...describe(of, 'x'), ...change }), message);
const code = (expected: string) => (error: Error & { code?: string }) => error.code === expected;

test('buffers are passed as they are', () => {
  const values = Int32Array.of(1, 2, 3);
  const data = intList([0, 2, 3], values);
  const { format, buffers, children } = describe(data, 'x');
  assert.equal(format, '+l');
  assert.equal(buffers[0], null);
  assert.equal(buffers[1], data.valueOffsets);
  assert.equal(children[0]!.buffers[1], values);
  assert.deepEqual(addon.inspectColumn(describe(data, 'x')), [[1, 2], [3]]);
});

test('slices of bits start at any bit', () => {
  const rows = Array.from({ length: 40 }, (_, i) => i % 3 === 0 || i % 7 === 0);
  const bools = vectorFromArray(rows, new Bool());
  const nullable = vectorFromArray(
    rows.map((on, i) => (on ? i : null)),
    new Int32(),
  );
  for (let begin = 0; begin < 20; begin++) {
    for (const end of [begin, begin + 1, begin + 9, 40]) {
      const [a, b] = [bools.slice(begin, end).data[0]!, nullable.slice(begin, end).data[0]!];
      assert.deepEqual(addon.inspectColumn(describe(a, 'a')), rows.slice(begin, end));
      assert.deepEqual(
        addon.inspectColumn(describe(b, 'b')),
        rows.slice(begin, end).map((on, i) => (on ? begin + i : null)),
      );
    }
  }
});

test('offsets need not start at 0, lists may be empty, columns may have no rows', () => {
  assert.deepEqual(addon.inspectColumn(describe(intList([2, 2, 4, 4], Int32Array.of(9, 9, 1, 2)), 'x')), [
    [],
    [1, 2],
    [],
  ]);
  assert.deepEqual(addon.inspectColumn(describe(intList([0], new Int32Array(0)), 'x')), []);
  const none = makeData({ type: new List(item(new Int32())), length: 0, nullCount: 0 } as never);
  assert.deepEqual(addon.inspectColumn(describe(none, 'x')), []);
});

test('dictionaries in one chunk or several', () => {
  const words = vectorFromArray(['math', 'code'], new Utf8());
  const type = new Dictionary(new Utf8(), new Int32(), 0);
  const data = makeData({ type, data: Int32Array.of(1, 0, 1), nullCount: 0, dictionary: words });
  assert.deepEqual(addon.inspectColumn(describe(data, 'x')), ['code', 'math', 'code']);
  const more = words.concat(vectorFromArray(['game'], new Utf8()));
  assert.equal(more.data.length, 2);
  const chunked = makeData({ type, data: Int32Array.of(1, 2), nullCount: 0, dictionary: more });
  assert.deepEqual(addon.inspectColumn(describe(chunked, 'x')), ['code', 'game']);
  const outside = makeData({ type, data: Int32Array.of(1, 2), nullCount: 0, dictionary: words });
  assert.throws(() => addon.inspectColumn(describe(outside, 'x')), /column x: row 1: dictionary index 2/);
});

test('types that the bridge does not carry are named', () => {
  assert.throws(() => formatOf(new TimestampMillisecond()), /Timestamp/);
  const fields = [new Field('when', new TimestampMillisecond(), false)];
  const children = [makeData({ type: new TimestampMillisecond(), data: new BigInt64Array(1), nullCount: 0 } as never)];
  const data = makeData({ type: new Struct(fields), length: 1, nullCount: 0, children });
  assert.throws(() => describeBatch(new RecordBatch(new Schema(fields), data)), /column "when".*Timestamp/);
  assert.equal(formatOf(new FixedSizeList(4, item(new Float32()))), '+w:4');
  assert.equal(formatOf(new Int8()), 'c');
});

test('resizable buffers are refused', () => {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;
  const values = new Int32Array(new Resizable(12, { maxByteLength: 64 }));
  assert.throws(() => describe(makeData({ type: new Int32(), data: values, nullCount: 0 }), 'x'), /"x".*resizable/);
});

test('shared memory can be read', () => {
  const values = new Int32Array(new SharedArrayBuffer(12));
  values.set([4, 5, 6]);
  assert.deepEqual(
    addon.inspectColumn(describe(makeData({ type: new Int32(), data: values, nullCount: 0 }), 'x')),
    [4, 5, 6],
  );
});

test('descriptions that lie are refused, naming the column', () => {
  const offsets = (...values: number[]) => ({ buffers: [null, Int32Array.from(values)] });
  const { children } = describe(intList([0, 2, 3], Int32Array.of(1, 2, 3)), 'x');
  refuses(offsets(0, 2, 9), /column x: its offsets end at 9, but there are 3 values/);
  refuses(offsets(0, 3, 2), /column x: row 1: its offsets run backwards/);
  refuses(offsets(-1, 2, 3), /column x: its first offset is -1/);
  refuses(offsets(0, 2), /column x: its offsets buffer/);
  refuses({ buffers: [null, null] }, /column x: its offsets buffer/);
  refuses({ buffers: [] }, /column x/);
  refuses({ length: 2 ** 53 }, /length/);
  refuses({ length: -1 }, /column x: its length is -1/);
  refuses({ length: 1.5 }, /length/);
  refuses({ nullCount: 1 }, /column x: it counts 1 nulls but has no validity bitmap/);
  refuses({ nullCount: 5 }, /column x: its null count/);
  refuses({ children: [] }, /column x: a list has one child/);
  refuses({ children: [{ ...children[0]!, length: 4 }] }, /column x: its values buffer has 12 bytes/);
  refuses({ format: '+q' }, /column x: Arrow format "\+q" is not supported/);
  refuses({ format: '+w:many' }, /column x: format/);
  refuses({ format: 3 as never }, /format must be a string/);
  refuses({ buffers: [null, [0, 2, 3] as never] }, /column x: a buffer must be a typed array/);
  const odd = new Uint8Array(17).subarray(1, 13);
  refuses({ buffers: [null, odd] }, /column x: its offsets buffer is not aligned/);
  const detached = Int32Array.of(0, 2, 3);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  refuses({ buffers: [null, detached] }, /column x.*detached/);
  assert.throws(() => addon.inspectColumn(null as never), code('ERR_INVALID_ARGUMENT'));
  let deep: ColumnDescription = describe(makeData({ type: new Int32(), data: Int32Array.of(1), nullCount: 0 }), 'x');
  for (let i = 0; i < 100; i++) deep = { ...describe(intList([0, 1], Int32Array.of(1)), 'x'), children: [deep] };
  assert.throws(() => addon.inspectColumn(deep), /nested too deep/);
});

test('the bitmap counts, not what is said of it', () => {
  const data = vectorFromArray([1, null, 3], new Int32()).data[0]!;
  assert.deepEqual(addon.inspectColumn({ ...describe(data, 'x'), nullCount: 3 }), [1, null, 3]);
});

test('native columns become a batch over the same block', () => {
  const buffer = new ArrayBuffer(192);
  new Int32Array(buffer, 0, 3).set([0, 2, 3]);
  new Int32Array(buffer, 64, 3).set([7, 8, 9]);
  new Uint8Array(buffer, 128, 1)[0] = 0b101;
  new Float32Array(buffer, 136, 2).set([0.5, 1.5]);
  const batch = toRecordBatch({
    buffer,
    rows: 2,
    offsetsByteOffset: 0,
    columns: [
      { name: 'tokens', format: 'i', list: true, byteOffset: 64, length: 3 },
      { name: 'loss_mask', format: 'b', list: true, byteOffset: 128, length: 3 },
      { name: 'reward', format: 'f', list: false, byteOffset: 136, length: 2 },
    ],
  });
  assert.deepEqual(
    batch.toArray().map((row) => JSON.parse(JSON.stringify(row))),
    [
      { tokens: [7, 8], loss_mask: [true, false], reward: 0.5 },
      { tokens: [9], loss_mask: [true], reward: 1.5 },
    ],
  );
  assert.equal(batch.data.children[0]!.children[0]!.values.buffer, buffer);
  const described = describeBatch(batch);
  assert.equal((described.children[0]!.children[0]!.buffers[1] as Int32Array).buffer, buffer);
});
