// Comma-separated text as RFC 4180 has it, read strictly: what a lenient reader would guess is an error here.

/** Text that is no table; the message names the line. */
export class CsvError extends Error {
  override readonly name = 'CsvError';
}

export interface Table {
  readonly columns: readonly string[];
  /** Every row has a cell of each column. */
  readonly rows: readonly (readonly string[])[];
}

/** Reads a table with a header. Lines may end in LF or CRLF; a byte order mark and empty lines at the end are skipped. */
export function parseCsv(text: string): Table {
  const body = text.replace(/^\ufeff/, '').replace(/[\r\n]+$/, '');
  if (body === '') throw new CsvError('the file is empty');
  const [columns, ...rows] = body.includes('"') ? quoted(body) : plain(body);
  const seen = new Set<string>();
  for (const column of columns!) {
    if (seen.has(column)) throw new CsvError(`line 1: the column "${short(column)}" is there twice`);
    seen.add(column);
  }
  for (const [i, row] of rows.entries()) {
    if (row.length !== columns!.length) {
      throw new CsvError(`row ${i + 1} has ${row.length} cells, the header ${columns!.length}`);
    }
  }
  return { columns: columns!, rows };
}

/** Reads a table from bytes, which must be UTF-8. */
export function parseCsvBytes(bytes: Uint8Array): Table {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CsvError('the file is not UTF-8 text');
  }
  if (text.includes('\0')) throw new CsvError('the file is binary');
  return parseCsv(text);
}

/** Writes a table; cells are quoted where they must be. Ends with a line feed. */
export function formatCsv({ columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `${cells.map(quote).join(',')}\n`;
  return line(columns) + rows.map(line).join('');
}

/** The places of columns. Throws a `CsvError` for one that is not there. */
export function columnIndex({ columns }: Table, name: string): number {
  const index = columns.indexOf(name);
  if (index < 0) throw new CsvError(`there is no column "${name}" (there are ${columns.slice(0, 20).join(', ')})`);
  return index;
}

/** Text of somebody else in a message. */
export const short = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text);

const quote = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

const plain = (body: string): string[][] => body.split(/\r?\n/).map((line) => line.split(','));

/** One cell and what ends it. */
const CELL = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;

function quoted(body: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  CELL.lastIndex = 0;
  for (;;) {
    const match = CELL.exec(body);
    if (match === null)
      throw new CsvError(`row ${rows.length}: a quote that does not enclose a whole cell, or is not closed`);
    const [, inQuotes, bare, end] = match;
    row.push(inQuotes === undefined ? bare! : inQuotes.replaceAll('""', '"'));
    if (end === ',') continue;
    rows.push(row);
    row = [];
    if (end === '') return rows;
  }
}
