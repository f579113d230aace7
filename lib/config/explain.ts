// Zod issues in words: what, where, what to do.
import { z } from 'zod';
import { suggestion } from '../errors.ts';

export interface Complaint {
  readonly path: readonly PropertyKey[];
  /** The key itself is at fault, not its value. */
  readonly key: string | null;
  readonly message: string;
}

/** One complaint per problem of an issue. */
export function explainIssue(issue: z.core.$ZodIssue, raw: unknown, known: readonly string[]): Complaint[] {
  const { path } = issue;
  const where = path.length === 0 ? '' : `${path.join('.')}: `;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path,
      key,
      message: `unknown key "${[...path, key].join('.')}"${suggestion(key, known)}`,
    }));
  }
  const found = path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], raw);
  if (found === undefined && (issue.code === 'invalid_type' || issue.code === 'invalid_union')) {
    return [{ path, key: null, message: `missing setting "${path.join('.')}"` }];
  }
  // Undefined: the default does not fit other settings; the message names it.
  const said = found === undefined || issue.message.includes(JSON.stringify(found));
  const got = said || (typeof found === 'object' && found !== null) ? '' : `, got ${JSON.stringify(found)}`;
  const choices = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const message = lowerFirst(issue.message).replace(got === '' ? '' : /, received \w+$/, '');
  const hint = typeof found === 'string' ? suggestion(found, choices) : '';
  return [{ path, key: null, message: `${where}${message}${got}${hint}` }];
}

const lowerFirst = (text: string): string =>
  text.replace(/^Invalid input: /, '').replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());

/** The keys that exist at a path of a schema. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let options = unwrap(schema);
  for (const part of path) options = options.flatMap((option) => unwrap(childOf(option, part)));
  return options.flatMap((option) => (option instanceof z.ZodObject ? Object.keys(option.shape) : []));
}

function childOf(schema: z.ZodType, part: PropertyKey): z.ZodType {
  if (schema instanceof z.ZodObject) return (schema.shape[String(part)] as z.ZodType | undefined) ?? z.never();
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  return z.never();
}

/** The object, array or leaf schemas behind defaults, nullables and unions. */
export function unwrap(schema: z.ZodType): z.ZodType[] {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodOptional
  ) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => unwrap(option as z.ZodType));
  return [schema];
}
