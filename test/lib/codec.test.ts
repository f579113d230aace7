// How environments in words find the texts that end an answer among the tokens of a model.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteTokenizerFiles } from '../../lib/text/byte-tokenizer.ts';
import { Chat } from '../../lib/text/chat.ts';
import { byteChat, chatCodec } from '../../lib/text/codec.ts';
import { Tokenizer } from '../../lib/text/tokenizer.ts';

/** The tokenizer of bytes with tokens of two characters besides. */
function withMerges(...pairs: readonly (readonly [string, string])[]): ReturnType<typeof chatCodec> {
  const files = byteTokenizerFiles();
  const json = JSON.parse(files['tokenizer.json']!);
  for (const [i, [a, b]] of pairs.entries()) {
    json.model.vocab[a + b] = 261 + i;
    json.model.merges.push([a, b]);
  }
  const config = JSON.parse(files['tokenizer_config.json']!);
  return chatCodec(new Chat(Tokenizer.fromJson(json, config), { default: config.chat_template }));
}

test('an ending is found however it is spelled: alone, or with a token that begins before it', () => {
  const codec = withMerges(['}', '<'], ['<', '/']);
  const text = '{"a": {}}</t>';
  const tokens = [...codec.encode(text)];
  assert.ok(tokens.includes(261)); // }< across the border
  const endings = codec.endings('</t>');
  const isAtEnd = (ending: readonly number[]): boolean => tokens.slice(-ending.length).join() === ending.join();
  assert.ok(endings.some(isAtEnd));
  for (const ending of endings) assert.ok(codec.decode(Int32Array.from(ending)).endsWith('</t>'));
  assert.ok(endings.some((ending) => codec.decode(Int32Array.from(ending)) === '</t>'));
});

test('where every byte is a token there is one spelling', () => {
  assert.deepEqual(chatCodec(byteChat()).endings('</t>'), [[...Buffer.from('</t>')]]);
});
