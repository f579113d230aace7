// tokenizer.json and tokenizer_config.json with one thing wrong: the error says what and where.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { Tokenizer } from '../../lib/text/tokenizer.ts';
import { withTemporary } from '../support/golden.ts';
import { changedTokenizer, type Json, readJson, userError } from '../support/text.ts';

const inside = (file: Json, key: string): Json => file[key] as Json;

/** What is wrong -> the change, and what the message must say. */
const FILES: Record<string, [(file: Json) => void, RegExp]> = {
  'no model': [(file) => delete file['model'], /model is missing/],
  'another kind of model': [
    (file) => (inside(file, 'model')['type'] = 'Unigram'),
    /model\.type "Unigram" is not supported/,
  ],
  dropout: [(file) => (inside(file, 'model')['dropout'] = 0.1), /model\.dropout is not supported/],
  'no vocabulary': [(file) => delete inside(file, 'model')['vocab'], /model\.vocab is missing/],
  'a vocabulary that is a list': [
    (file) => (inside(file, 'model')['vocab'] = ['a']),
    /model\.vocab must be a JSON object/,
  ],
  'an id that is text': [
    (file) => (inside(inside(file, 'model'), 'vocab')['!'] = '0'),
    /model\.vocab\.! must be an id/,
  ],
  'an id out of bounds': [(file) => (inside(inside(file, 'model'), 'vocab')['!'] = 1e9), /must be an id from 0 to/],
  'an id twice': [(file) => (inside(inside(file, 'model'), 'vocab')['!'] = 5), /the same id 5/],
  'a merge of three': [
    (file) => (inside(file, 'model')['merges'] as unknown[]).push('a b c'),
    /merges\[537\] must be two tokens/,
  ],
  'a merge of strangers': [
    (file) => (inside(file, 'model')['merges'] as unknown[]).push(['q', 'ЖЖ']),
    /merges\[537\] needs "ЖЖ"/,
  ],
  'an unknown normalizer': [
    (file) => (file['normalizer'] = { type: 'Precompiled' }),
    /normalizer\.type must be one of "NFC"/,
  ],
  'an unknown pre-tokenizer': [
    (file) => (file['pre_tokenizer'] = { type: 'BertPreTokenizer' }),
    /pre_tokenizer\.type must be one of/,
  ],
  'a pattern that is none': [
    (file) => (file['pre_tokenizer'] = { type: 'Split', behavior: 'Isolated', pattern: { Regex: '(a' } }),
    /pre_tokenizer\.pattern\.Regex has a group that is not closed/,
  ],
  'a pattern beyond us': [
    (file) => (file['pre_tokenizer'] = { type: 'Split', behavior: 'Isolated', pattern: { Regex: '[a[bc]]' } }),
    /a set inside \[\.\.\.\], which is not supported: "\[a\[bc\]\]"/,
  ],
  'an unknown decoder': [(file) => (file['decoder'] = { type: 'WordPiece' }), /decoder\.type must be one of/],
  'an unknown post-processor': [
    (file) => (file['post_processor'] = { type: 'BertProcessing' }),
    /post_processor\.type must be/,
  ],
  'a post-processor without its token': [
    (file) => (file['post_processor'] = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<s>' } }] }),
    /post_processor\.single uses "<s>", which special_tokens lacks/,
  ],
  'an added token with the id of another': [
    (file) => (file['added_tokens'] as Json[]).push({ id: 3, content: '<new>' }),
    /"<new>" and "\$" have the same id 3/,
  ],
  'an added token with two ids': [
    (file) => (file['added_tokens'] as Json[]).push({ id: 900, content: '!' }),
    /"!" has id 900 and, in the vocabulary, 0/,
  ],
  'an added token without text': [
    (file) => (file['added_tokens'] as Json[]).push({ id: 900 }),
    /added_tokens\[7\]\.content must be text, not missing/,
  ],
  'deep nesting': [
    (file) => {
      let step: Json = { type: 'NFC' };
      for (let i = 0; i < 50; i++) step = { type: 'Sequence', normalizers: [step] };
      file['normalizer'] = step;
    },
    /nested deeper than 16/,
  ],
};

for (const [what, [change, message]] of Object.entries(FILES)) {
  test(`tokenizer.json with ${what}`, () => {
    userError(() => Tokenizer.fromJson(changedTokenizer('bpe-qwen2', change)), message);
  });
}

test('tokenizer_config.json that names a token which is none', () => {
  const file = readJson('bpe-qwen2', 'tokenizer.json');
  userError(
    () => Tokenizer.fromJson(file, { eos_token: '<|end|>' }),
    /tokenizer_config\.json names "<\|end\|>", which tokenizer\.json/,
  );
  userError(
    () => Tokenizer.fromJson(file, { eos_token: 7 }),
    /tokenizer_config\.json: eos_token must be a JSON object, not 7/,
  );
  userError(
    () => Tokenizer.fromJson(file, { added_tokens_decoder: { x: {} } }),
    /added_tokens_decoder\.x is not a token id/,
  );
  userError(
    () => Tokenizer.fromJson(file, { added_tokens_decoder: { 900: null } }),
    /added_tokens_decoder\.900 must be a JSON object, not missing/,
  );
});

test('a folder without a tokenizer, with one that is no JSON, or a folder in its place', async () => {
  await withTemporary(async (directory) => {
    userError(() => Tokenizer.load(directory), /has no tokenizer\.json; save the tokenizer with/);
    writeFileSync(path.join(directory, 'tokenizer.json'), '{"model": ');
    userError(() => Tokenizer.load(directory), /tokenizer\.json is not valid JSON/);
    const inner = path.join(directory, 'inner');
    mkdirSync(path.join(inner, 'tokenizer.json'), { recursive: true });
    userError(() => Tokenizer.load(inner), /cannot read .*tokenizer\.json/);
  });
});
