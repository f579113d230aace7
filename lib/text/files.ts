// Reading the text files of a Hugging Face folder.
import { readFileSync } from 'node:fs';
import { UserError } from '../errors.ts';
import { Fields } from './fields.ts';

/** The text of a file, or null where there is none. Throws a `UserError` for anything else that goes wrong. */
export function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new UserError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** A JSON object from text; `where` is for messages. */
export function parseFields(text: string, where: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where} is not valid JSON: ${(error as Error).message}`, { cause: error });
  }
  return new Fields(value, where);
}

/** A JSON file that must hold an object; null where there is no file. */
export function readFields(file: string): Fields | null {
  const text = readText(file);
  return text === null ? null : parseFields(text, file);
}
