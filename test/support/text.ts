// Small tokenizers and chats for tests of text.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { Chat, type LoadOptions } from '../../lib/text/chat.ts';
import { Tokenizer } from '../../lib/text/tokenizer.ts';
import { FIXTURES, GOLDEN } from './golden.ts';

/** A set may leave tokenizers out; tests that only need some take ours. */
const set = [GOLDEN, FIXTURES].find((folder) => existsSync(path.join(folder, 'tokenizer')));
export const TOKENIZERS: string = path.join(set ?? FIXTURES, 'tokenizer');

export type Json = Record<string, unknown>;

export const readJson = (...parts: string[]): Json =>
  JSON.parse(readFileSync(path.join(TOKENIZERS, ...parts), 'utf8')) as Json;

export const goldenTokenizer = (name: string): Tokenizer => Tokenizer.load(path.join(TOKENIZERS, name));

export const goldenTemplate = (name: string): string =>
  readFileSync(path.join(TOKENIZERS, 'templates', `${name}.jinja`), 'utf8');

/** A golden template with the tokenizer it belongs to. */
export function goldenChat(template: 'chatml' | 'qwen' | 'llama3', change = (source: string): string => source): Chat {
  const tokenizer = goldenTokenizer(template === 'llama3' ? 'bpe-llama3' : 'bpe-qwen2');
  return new Chat(tokenizer, { default: change(goldenTemplate(template)) });
}

/** A chat with a template of its own and the qwen2-like tokenizer. */
export const chatOf = (source: string, options: LoadOptions = {}): Chat =>
  new Chat(goldenTokenizer('bpe-qwen2'), { default: source }, options);

/** A tokenizer.json with one thing changed. */
export function changedTokenizer(name: string, change: (file: Json) => void): Json {
  const file = readJson(name, 'tokenizer.json');
  change(file);
  return file;
}

/** Runs [start, end) of ones. */
export function runs(mask: Uint8Array): [number, number][] {
  const found: [number, number][] = [];
  for (let t = 0; t < mask.length; t++) {
    if (mask[t] !== 1) continue;
    const last = found.at(-1);
    if (last?.[1] === t) last[1]++;
    else found.push([t, t + 1]);
  }
  return found;
}

/** The action fails with a `UserError` whose message says what and where. */
export function userError(action: () => unknown, message: RegExp): void {
  assert.throws(action, (error: Error) => {
    assert.ok(error instanceof UserError, `not a UserError: ${error.stack}`);
    assert.match(error.message, message);
    return true;
  });
}
