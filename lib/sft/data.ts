// Reads what is to be imitated: JSON Lines or Arrow IPC files with conversations or with prompts and answers.
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { readBatches } from '../batch/file.ts';
import { UserError } from '../errors.ts';
import { parseJson } from '../text/json.ts';
import type { Message } from '../text/messages.ts';

const text = z.string();
const message = z.looseObject({ role: text, content: z.string().nullish() });
const conversation = z.looseObject({ messages: z.array(message).min(1), tools: z.array(z.unknown()).nullish() });
const pair = z.looseObject({ prompt: z.union([text, z.array(message).min(1)]), answer: text });

/** Other names under which data sets keep the answer to `prompt`. */
const ANSWERS = ['answer', 'completion', 'response'] as const;

/** One conversation; the mask covers what the assistant says, of a pair only the answer. */
export interface SupervisedRow {
  /** "data.jsonl:17", for messages. */
  readonly where: string;
  readonly messages: readonly Message[];
  readonly tools: readonly unknown[] | null;
  /** Messages before this one are only read, whoever says them. */
  readonly firstTrained: number;
}

/** Rows of a .jsonl, .json (a list), .arrow or .arrows file. Throws a `UserError` that names file and line. */
export function readSupervised(file: string): SupervisedRow[] {
  const rows = readRows(file).flatMap(({ where, value }) => (value === undefined ? [] : [parseRow(where, value)]));
  if (rows.length === 0) throw new UserError(`${file} holds no examples`);
  return rows;
}

function readRows(file: string): { where: string; value: unknown }[] {
  if (/\.arrows?$/.test(file)) {
    const table = read(file, () => readBatches(file));
    return Array.from(table, (row, i) => ({ where: `${file}, row ${i}`, value: plain(row) }));
  }
  const content = read(file, () => readFileSync(file, 'utf8'));
  if (file.endsWith('.json')) {
    const list = parseJson(content, file);
    if (!Array.isArray(list)) throw new UserError(`${file}: expected a list of examples`);
    return list.map((value: unknown, i) => ({ where: `${file}, example ${i}`, value }));
  }
  return content.split('\n').map((line, i) => {
    const where = `${file}:${i + 1}`;
    return { where, value: line.trim() === '' ? undefined : parseJson(line, where) };
  });
}

function read<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** A row of Arrow with its lists and structs as plain objects. */
const plain = (row: unknown): unknown =>
  JSON.parse(JSON.stringify(row, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)));

function parseRow(where: string, value: unknown): SupervisedRow {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError(`${where}: expected an object with "messages", or with "prompt" and "answer"`);
  }
  const has = (key: string): boolean => (value as Record<string, unknown>)[key] != null;
  if (has('messages')) {
    const { messages, tools } = checked(where, conversation, value);
    if (!messages.some(({ role }) => role === 'assistant')) {
      throw new UserError(`${where}: no message is the assistant's, so there is nothing to imitate`);
    }
    return { where, messages: messages as Message[], tools: tools ?? null, firstTrained: 0 };
  }
  const key = ANSWERS.find(has);
  if (!has('prompt') || key === undefined) {
    const names = ANSWERS.map((name) => `"${name}"`).join(', ');
    throw new UserError(`${where}: expected "messages", or "prompt" with one of ${names}`);
  }
  const { prompt, answer } = checked(where, pair, { ...value, answer: (value as Record<string, unknown>)[key] });
  const before = (typeof prompt === 'string' ? [{ role: 'user', content: prompt }] : prompt) as Message[];
  const messages = [...before, { role: 'assistant', content: answer }];
  return { where, messages, tools: null, firstTrained: before.length };
}

function checked<T>(where: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message: problem } = result.error.issues[0]!;
  throw new UserError(`${where}: ${path.join('.')}: ${problem}`);
}
