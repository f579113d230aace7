// Batches on disk: Arrow IPC files, which pyarrow, DuckDB and Polars read.
import { type RecordBatch, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { readFileSync } from 'node:fs';
import { registerCodecs } from '../native/compression.ts';
import { writeAtomically } from '../runs/files.ts';

/** Writes one batch; a reader sees the whole file or none. */
export function writeBatch(path: string, batch: RecordBatch): void {
  writeAtomically(path, tableToIPC(new Table([batch]), 'file'), { sync: false });
}

/** Reads a rollouts file, compressed ones too. */
export function readBatches(path: string): Table {
  registerCodecs();
  return tableFromIPC(readFileSync(path));
}
