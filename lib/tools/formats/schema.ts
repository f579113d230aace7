// Function documents as JSON schemas of tools, as chat templates and the OpenAI API have them.
import type { FunctionDocument } from '../bfcl/functions.ts';

/** BFCL's names of types that JSON schema does not know. */
const TYPES: Readonly<Record<string, string>> = { dict: 'object', float: 'number', tuple: 'array', any: 'string' };

export interface ToolSchema {
  readonly type: 'function';
  readonly function: { readonly name: string; readonly description: string; readonly parameters: unknown };
}

export function toolSchema({ name, description, parameters }: FunctionDocument): ToolSchema {
  return { type: 'function', function: { name, description, parameters: withTypes(parameters) } };
}

/** One per line. */
export const schemaLines = (functions: readonly FunctionDocument[]): string =>
  functions.map((document) => JSON.stringify(toolSchema(document).function)).join('\n');

/** Short: `name(argument: type, other?: type): what it does`, one per line. */
export const signatureLines = (functions: readonly FunctionDocument[]): string =>
  functions
    .map(({ name, description, parameters: { properties, required } }) => {
      const list = Object.entries(properties).map(
        ([key, { type }]) => `${key}${required.includes(key) ? '' : '?'}: ${TYPES[String(type)] ?? String(type)}`,
      );
      return `${name}(${list.join(', ')}): ${description}`;
    })
    .join('\n');

function withTypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withTypes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === 'type' && typeof member === 'string' ? (TYPES[member] ?? member) : withTypes(member),
    ]),
  );
}
