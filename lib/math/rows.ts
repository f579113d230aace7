// Rows of a file: JSON lines, a JSON array, Arrow or Parquet.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tableFromIPC } from 'apache-arrow';
import { UserError } from '../errors.ts';

export type Row = Readonly<Record<string, unknown>>;

export interface PlacedRow {
  readonly row: Row;
  /** file:number, counted from 1; of JSON lines the line. */
  readonly where: string;
}

/** Throws a `UserError` that names file and line where a file is missing or broken. */
export function rowsOf(file: string): PlacedRow[] {
  const name = basename(file);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UserError(`${file}: ${(error as Error).message}`);
  }
  if (name.endsWith('.arrow')) return arrowRows(file, bytes);
  if (name.endsWith('.parquet')) return parquetRows(file);
  const text = bytes.toString('utf8').replace(/^\ufeff/, '');
  if (text.trimStart().startsWith('[')) {
    const list = parsed(text, file) as unknown[];
    return list.map((row, i) => ({ row: object(row, `${file}, row ${i + 1}`), where: `${name}:${i + 1}` }));
  }
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const place = `${file}, line ${i + 1}`;
    return [{ row: object(parsed(line, place), place), where: `${name}:${i + 1}` }];
  });
}

function arrowRows(file: string, bytes: Buffer): PlacedRow[] {
  try {
    return [...tableFromIPC(bytes)].map((row, i) => ({
      row: row!.toJSON() as Row,
      where: `${basename(file)}:${i + 1}`,
    }));
  } catch (error) {
    throw new UserError(`${file}: not an Arrow file: ${(error as Error).message}`);
  }
}

const PARQUET_ROWS = fileURLToPath(new URL('./parquet-rows.js', import.meta.url));
/** Of the JSON that a file becomes. */
const MOST_BYTES = 2 ** 30;

function parquetRows(file: string): PlacedRow[] {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [PARQUET_ROWS, file], {
    encoding: 'utf8',
    maxBuffer: MOST_BYTES,
  });
  if (error !== undefined) throw new UserError(`${file}: cannot be read as Parquet: ${error.message}`);
  if (status !== 0) {
    const reason = /^\w*Error: (.*)$/m.exec(stderr)?.[1] ?? stderr.trim().slice(-200);
    throw new UserError(`${file}: cannot be read as Parquet: ${reason}`);
  }
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line, i) => ({ row: JSON.parse(line) as Row, where: `${basename(file)}:${i + 1}` }));
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where}: not valid JSON: ${(error as Error).message}`);
  }
}

function object(value: unknown, where: string): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${where}: not an object`);
  }
  return value as Row;
}
