// Arrow files that pyarrow wrote: apache-arrow reads them, and the addon reads the same rows through the bridge.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type RecordBatch, type Table, tableFromIPC } from 'apache-arrow';
import { describe, describeBatch } from '../../lib/native/bridge.ts';
import { decodeLz4Frame, registerCodecs } from '../../lib/native/compression.ts';
import { addon } from '../support/addon.ts';
import { GOLDEN } from '../support/golden.ts';

registerCodecs();
const hasZstd = process.versions.node.localeCompare('22.15.0', undefined, { numeric: true }) >= 0;
type Row = Record<string, unknown>;

const directory = path.join(GOLDEN, 'arrow');
const manifest = path.join(directory, 'manifest.json');
const cases: Record<string, { batches: number[]; rows: number; options: { compression?: string } }> = existsSync(
  manifest,
)
  ? JSON.parse(readFileSync(manifest, 'utf8')).cases
  : {};

/** Rows as apache-arrow shows them, as plain values. */
const plain = (value: unknown): unknown => {
  if (value === null || value === undefined) return null;
  if (typeof value === 'object' && Symbol.iterator in value) return [...(value as Iterable<unknown>)].map(plain);
  return typeof value === 'bigint' ? Number(value) : value;
};
const rowsOf = (batch: RecordBatch | Table): Row[] =>
  Array.from({ length: batch.numRows }, (_, i) =>
    Object.fromEntries(batch.schema.fields.map(({ name }) => [name, plain(batch.getChild(name)!.get(i))])),
  );

/** Rows as C++ reads them. */
const nativeRowsOf = (batch: RecordBatch): Row[] => {
  const columns = batch.schema.fields.map(
    ({ name }, i) => [name, addon.inspectColumn(describe(batch.data.children[i]!, name))] as const,
  );
  describeBatch(batch);
  return Array.from({ length: batch.numRows }, (_, i) =>
    Object.fromEntries(columns.map(([name, rows]) => [name, rows[i]])),
  );
};

for (const [file, { batches, rows, options }] of Object.entries(cases)) {
  const skip = options.compression === 'zstd' && !hasZstd && 'this Node has no Zstandard';
  const read = (): Table => tableFromIPC(readFileSync(path.join(directory, file)));

  test(`${file}: rows, in TypeScript and in C++`, { skip }, () => {
    const expected = JSON.parse(readFileSync(path.join(directory, `${file}.json`), 'utf8')).rows as Row[];
    const table = read();
    assert.equal(table.numRows, rows);
    assert.deepEqual(rowsOf(table), expected);
    const withRows = table.batches.filter((batch) => batch.numRows > 0);
    assert.deepEqual(
      withRows.map((batch) => batch.numRows),
      batches.filter((n) => n > 0),
    );
    assert.deepEqual(table.batches.flatMap(nativeRowsOf), expected);
  });

  test(`${file}: slices at every offset reach C++ as they are`, { skip }, () => {
    for (const batch of read().batches) {
      for (let begin = 0; begin <= batch.numRows; begin++) {
        const slice = batch.slice(begin, Math.min(batch.numRows, begin + 5));
        assert.deepEqual(nativeRowsOf(slice), rowsOf(slice), `rows from ${begin}`);
      }
    }
  });
}

test('Zstandard without a decoder says what to do', { skip: hasZstd && 'this Node has Zstandard' }, () => {
  const file = Object.keys(cases).find((name) => cases[name]!.options.compression === 'zstd');
  if (file === undefined) return;
  assert.throws(() => tableFromIPC(readFileSync(path.join(directory, file))).toString(), /Zstandard.*Node 22\.15/);
});

test('LZ4: stored blocks, overlapping matches, damage', () => {
  const header = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
  const stored = Uint8Array.of(...header, 3, 0, 0, 0x80, 97, 98, 99, 0, 0, 0, 0);
  assert.equal(String(Buffer.from(decodeLz4Frame(stored))), 'abc');
  // One literal 'a', then 9 bytes from 1 byte back, then the last literals 'b'.
  const block = [0x15, 97, 1, 0, 0x10, 98];
  const repeated = Uint8Array.of(...header, block.length, 0, 0, 0, ...block, 0, 0, 0, 0);
  assert.equal(String(Buffer.from(decodeLz4Frame(repeated))), `${'a'.repeat(10)}b`);
  for (let n = 0; n < repeated.length; n++) assert.throws(() => decodeLz4Frame(repeated.subarray(0, n)), /LZ4/);
  const far = Uint8Array.of(...header, 6, 0, 0, 0, 0x15, 97, 9, 0, 0x10, 98, 0, 0, 0, 0);
  assert.throws(() => decodeLz4Frame(far), /before the start/);
});
