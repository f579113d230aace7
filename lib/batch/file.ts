// Batches on disk: Arrow IPC files, which pyarrow, DuckDB and Polars read.
import {
  AsyncByteQueue,
  type RecordBatch,
  RecordBatchFileWriter,
  RecordBatchReader,
  Table,
  tableFromIPC,
  tableToIPC,
} from 'apache-arrow';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { registerCodecs } from '../native/compression.ts';
import { writeAtomically, writeFully } from '../runs/files.ts';

/** Writes one batch; a reader sees the whole file or none. */
export function writeBatch(path: string, batch: RecordBatch): void {
  writeAtomically(path, tableToIPC(new Table([batch]), 'file'), { sync: false });
}

/**
 * Writes batches of one schema, at least one, as they come: only one has to be in memory. Whole or not at all, and durable.
 * Returns the checksum of the file (CRC-32).
 */
export function writeBatches(path: string, batches: Iterable<RecordBatch>): number {
  let checksum = 0;
  writeAtomically(path, (file) => {
    const queue = new FileQueue(file);
    const writer = new RecordBatchFileWriter();
    writer.reset(queue);
    for (const batch of batches) writer.write(batch);
    writer.finish();
    checksum = queue.checksum;
  });
  return checksum;
}

/** Where the Arrow library leaves its bytes: straight in a file, whatever their amount. */
class FileQueue extends AsyncByteQueue {
  checksum = 0;
  readonly #file: number;

  constructor(file: number) {
    super();
    this.#file = file;
  }

  override write(bytes: Parameters<AsyncByteQueue['write']>[0]): void {
    writeFully(this.#file, bytes as Uint8Array);
    this.checksum = crc32(bytes as Uint8Array, this.checksum);
  }
}

/** Reads a rollouts file, compressed ones too. */
export function readBatches(path: string): Table {
  registerCodecs();
  return tableFromIPC(readFileSync(path));
}

const PIECE = 2 ** 20;

/**
 * Reads a file batch by batch, whatever its size. Throws where it is not what its checksum says: a damaged file can send the
 * Arrow library into an endless loop.
 */
export async function* readEachBatch(path: string, checksum: number): AsyncGenerator<RecordBatch> {
  const file = await open(path);
  try {
    let found = 0;
    const piece = Buffer.alloc(PIECE);
    for (let at = 0; ; ) {
      const { bytesRead } = await file.read(piece, 0, PIECE, at);
      if (bytesRead === 0) break;
      found = crc32(piece.subarray(0, bytesRead), found);
      at += bytesRead;
    }
    if (found !== checksum) throw new RangeError(`its checksum is ${found}, it should be ${checksum}`);
    yield* await RecordBatchReader.from(file);
  } finally {
    await file.close();
  }
}
