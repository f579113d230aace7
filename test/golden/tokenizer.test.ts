// Ids and texts must be exactly those of Hugging Face's tokenizers.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { folder } from '../support/golden.ts';
import { goldenTokenizer, readJson } from '../support/text.ts';

interface StringCase {
  readonly text: string;
  readonly ids: number[];
  readonly ids_with_special: number[];
  readonly decoded: string;
  readonly decoded_skip_special: string;
}
type DecodeCase = Pick<StringCase, 'ids' | 'decoded' | 'decoded_skip_special'>;

const { cases } = folder<{ readonly special: Readonly<Record<string, string>> }>('tokenizer', { title: null });
let strings = 0;
let lists = 0;
after(() => console.log(`golden/tokenizer: ${strings} strings and ${lists} lists of ids, all exact`));

for (const [name, { special }] of cases) {
  const tokenizer = goldenTokenizer(name);
  const list = <Case>(file: string): Case[] => Object.values(readJson(name, file)) as Case[];

  test(`${name}: ids of strings`, () => {
    for (const { text, ids, ids_with_special } of list<StringCase>('strings.json')) {
      assert.deepEqual([...tokenizer.encode(text, { allowSpecial: true })], ids, JSON.stringify(text));
      const framed = tokenizer.encode(text, { allowSpecial: true, addSpecialTokens: true });
      assert.deepEqual([...framed], ids_with_special, JSON.stringify(text));
      strings++;
    }
  });

  test(`${name}: text of ids, at once and token by token`, () => {
    for (const { ids, decoded, decoded_skip_special } of [
      ...list<DecodeCase>('strings.json'),
      ...list<DecodeCase>('decode.json'),
    ]) {
      assert.equal(tokenizer.decode(ids), decoded, String(ids));
      assert.equal(tokenizer.decode(ids, { skipSpecialTokens: true }), decoded_skip_special, String(ids));
      const stream = tokenizer.decodeStream();
      assert.equal(ids.map((id) => stream.push(id)).join('') + stream.end(), decoded, String(ids));
      lists++;
    }
  });

  test(`${name}: special tokens`, () => {
    for (const [role, content] of Object.entries(special)) {
      const token = tokenizer.special.get(role as 'bos_token');
      assert.deepEqual(token, { content, id: tokenizer.id(content) });
      assert.equal(tokenizer.isSpecial(token!.id), true);
      assert.deepEqual([...tokenizer.encode(content, { allowSpecial: true })], [token!.id]);
    }
  });
}
