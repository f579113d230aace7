// Lines of JSON with what is wrong said by file and line.
import type * as z from 'zod';
import { UserError } from '../../errors.ts';
import { parseJson } from '../../text/json.ts';
import { readText } from '../../text/files.ts';

export interface Row<T> {
  readonly value: T;
  /** file:line */
  readonly where: string;
}

/** Every line of a file that is not empty. Throws a `UserError` for a file that is not there, or a line that does not fit. */
export function readRows<T>(file: string, schema: z.ZodType<T>): Row<T>[] {
  const text = readText(file);
  if (text === null) throw new UserError(`there is no file ${file}`);
  return text.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const where = `${file}:${i + 1}`;
    const parsed = schema.safeParse(parseJson(line, where));
    if (parsed.success) return [{ value: parsed.data, where }];
    const [issue] = parsed.error.issues;
    const place = issue!.path.map(String).join('.');
    throw new UserError(`${where}: ${place === '' ? '' : `${place}: `}${issue!.message}`);
  });
}

/** The rows by their ids. Throws a `UserError` where one is there twice. */
export function byId<T extends { readonly id: string }>(rows: readonly Row<T>[]): Map<string, Row<T>> {
  const found = new Map<string, Row<T>>();
  for (const row of rows) {
    const before = found.get(row.value.id);
    if (before !== undefined) throw new UserError(`${row.where}: the id ${row.value.id} is in ${before.where}, too`);
    found.set(row.value.id, row);
  }
  return found;
}
