// Rows of a file: JSON lines, a JSON array, or Arrow.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
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
  if (name.endsWith('.parquet')) {
    throw new UserError(`${file}: Parquet is not read; convert it to .jsonl or .arrow`);
  }
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
