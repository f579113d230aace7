// Batches on disk: Arrow IPC files, which pyarrow, DuckDB and Polars read.
import { type RecordBatch, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { readFileSync } from 'node:fs';
import { writeAtomically } from '../runs/files.ts';

/** Writes one batch; a reader sees the whole file or none. */
export function writeBatch(path: string, batch: RecordBatch): void {
  writeAtomically(path, tableToIPC(new Table([batch]), 'file'), { sync: false });
}

/** Reads a rollouts file. */
export const readBatches = (path: string): Table => tableFromIPC(readFileSync(path));
