// A process of its own that prints the rows of a Parquet file as JSON lines: reading Parquet is asynchronous, making an environment
// is not.
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

const file = await asyncBufferFromFile(process.argv[2]!);
const rows = await parquetReadObjects({ file, compressors });
const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
for (const row of rows) process.stdout.write(`${JSON.stringify(row, plain)}\n`);
