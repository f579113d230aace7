import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/rng.ts';
import { unspell } from '../../lib/text/encoding/byte-alphabet.ts';
import { Tokenizer } from '../../lib/text/tokenizer.ts';
import { changedTokenizer, goldenTokenizer, readJson } from '../support/text.ts';

const BYTE_LEVEL = ['bpe-gpt2', 'bpe-qwen2', 'bpe-llama3'];
const qwen = goldenTokenizer('bpe-qwen2');

function randomText(random: Random): string {
  const ranges = [
    [0x20, 0x7e],
    [0x00, 0x2ff],
    [0x300, 0x36f],
    [0x400, 0x9fff],
    [0xe000, 0x10ffff],
  ] as const;
  return Array.from({ length: random.below(24) }, () => {
    const [low, high] = random.pick(ranges);
    return random.chance(0.2)
      ? random.pick([' ', '  ', '\n', '\r\n', '\t', "'s"])
      : String.fromCodePoint(low + random.below(high - low + 1));
  }).join('');
}

for (const name of BYTE_LEVEL) {
  test(`${name}: decoding gives the normalised text back, whatever the text`, () => {
    const tokenizer = goldenTokenizer(name);
    const normalize = name === 'bpe-qwen2' ? (text: string) => text.normalize('NFC') : (text: string) => text;
    const random = new Random(1, 'round trip', name);
    for (let i = 0; i < 2000; i++) {
      const text = randomText(random);
      assert.equal(tokenizer.decode(tokenizer.encode(text)), normalize(text), JSON.stringify(text));
    }
  });
}

test('a stream gives what decode gives, for random ids', () => {
  for (const name of [...BYTE_LEVEL, 'bpe-spm']) {
    const tokenizer = goldenTokenizer(name);
    const random = new Random(2, 'stream', name);
    for (let i = 0; i < 500; i++) {
      const ids = Array.from({ length: random.below(12) }, () => random.below(tokenizer.vocabularySize + 3));
      const stream = tokenizer.decodeStream();
      const pieces = ids.map((id) => stream.push(id));
      assert.ok(!pieces.some((piece) => /\p{Surrogate}/u.test(piece)));
      assert.equal(pieces.join('') + stream.end(), tokenizer.decode(ids));
    }
  }
});

test('a stream holds a character back until its last byte is there', () => {
  const ids = [...qwen.encode('a🙂b')];
  const stream = qwen.decodeStream();
  const pieces = ids.map((id) => stream.push(id));
  assert.equal(pieces.join(''), 'a🙂b');
  assert.equal(pieces.filter((piece) => piece.includes('🙂')).length, 1);
  assert.ok(pieces.filter((piece) => piece === '').length >= 2, 'bytes of the emoji before its last one');
  const cut = qwen.decodeStream();
  for (const id of ids.slice(0, -2)) cut.push(id);
  assert.equal(cut.pending, true);
  assert.equal(cut.end(), '\ufffd');
});

test('invalid UTF-8 from a model becomes U+FFFD', () => {
  const [lead, other] = ['ð', 'Ã'].map((token) => qwen.id(token)!);
  assert.equal(qwen.decode([lead!, other!, ...qwen.encode('x')]), '\ufffd\ufffdx');
});

test('a sentencepiece-like stream drops the space before the first word only', () => {
  const spm = goldenTokenizer('bpe-spm');
  const ids = [...spm.encode('the man  the')];
  const stream = spm.decodeStream();
  const pieces = ids.map((id) => stream.push(id));
  assert.equal(pieces.join('') + stream.end(), 'the man  the');
  assert.ok(!pieces[0]!.startsWith(' '));
  assert.equal(spm.decode(spm.encode('')), '');
});

test('text of special tokens becomes them only when asked; other added tokens always', () => {
  const text = 'a<|im_end|><tool_call>b';
  const plain = [...qwen.encode(text)];
  assert.ok(!plain.some((id) => qwen.isSpecial(id)));
  assert.ok(plain.includes(qwen.id('<tool_call>')!));
  assert.equal(qwen.decode(plain), text);
  const allowed = [...qwen.encode(text, { allowSpecial: true })];
  assert.ok(allowed.includes(qwen.id('<|im_end|>')!));
  assert.equal(qwen.decode(allowed, { skipSpecialTokens: true }), 'a<tool_call>b');
});

test('ids that are no tokens give no text', () => {
  assert.equal(qwen.decode([...qwen.encode('ab'), 99999, -1]), 'ab');
});

test('lone surrogates are encoded as U+FFFD', () => {
  assert.equal(qwen.decode(qwen.encode('a\ud800b\udc00')), 'a\ufffdb\ufffd');
});

test('a piece that comes twice has the same ids as one that comes first', () => {
  const text = 'merge batch batch merge 12345 12345 ...... ......'.repeat(20);
  assert.deepEqual(qwen.encode(text), goldenTokenizer('bpe-qwen2').encode(text));
});

test('long pieces are merged as short ones are', () => {
  // Without a pre-tokenizer all of a text is one piece: with many spaces the cut before words must not change anything.
  const spm = goldenTokenizer('bpe-spm');
  const uncut = Tokenizer.fromJson(
    changedTokenizer('bpe-spm', (file) => {
      (file['model'] as Record<string, unknown>)['ignore_merges'] = true; // which forbids the cut
    }),
  );
  const random = new Random(3, 'long');
  for (let i = 0; i < 200; i++) {
    const words = Array.from({ length: random.below(60) }, () =>
      random.pick(['the', ' ', '  ', 'tree ', '▁', 'x', '你', 'merge']),
    );
    assert.deepEqual(spm.encode(words.join('')), uncut.encode(words.join('')));
  }
  assert.equal(spm.decode(spm.encode('a'.repeat(100_000))), 'a'.repeat(100_000));
});

test('tokens that only tokenizer_config.json adds are recognised', () => {
  const config = {
    eos_token: { content: '<|im_end|>', special: true },
    added_tokens_decoder: { 800: { content: '<think>', special: false }, 801: { content: '<|extra|>', special: true } },
  };
  const tokenizer = Tokenizer.fromJson(readJson('bpe-qwen2', 'tokenizer.json'), config);
  assert.deepEqual([...tokenizer.encode('<think><|extra|>', { allowSpecial: true })], [800, 801]);
  assert.equal(tokenizer.special.get('eos_token')?.content, '<|im_end|>');
  assert.equal(tokenizer.vocabularySize, 802);
});

test('add_bos_token and add_eos_token take the place of the post-processor', () => {
  const file = readJson('bpe-llama3', 'tokenizer.json');
  const roles = { bos_token: '<|begin_of_text|>', eos_token: '<|eot_id|>' };
  const ids = (config: object): number[] => {
    const tokenizer = Tokenizer.fromJson(file, { ...roles, ...config });
    return [...tokenizer.encode('a', { addSpecialTokens: true })];
  };
  const [a] = ids({ add_bos_token: false });
  assert.deepEqual(ids({}), [793, a]);
  assert.deepEqual(ids({ add_bos_token: false, add_eos_token: true }), [a, 797]);
  assert.deepEqual(ids({ add_bos_token: true, add_eos_token: true }), [793, a, 797]);
});

test('positions in a text are found among its tokens', () => {
  const tokenizer = goldenTokenizer('bpe-llama3');
  const random = new Random(4, 'marks');
  const bytesOf = (ids: Int32Array): number =>
    ids.reduce(
      (sum, id) => sum + (tokenizer.isSpecial(id) ? tokenizer.token(id)!.length : unspell(tokenizer.token(id)!).length),
      0,
    );
  for (let i = 0; i < 1000; i++) {
    const text = `${randomText(random)}<|eot_id|>${randomText(random)}`;
    const at = random.below(text.length + 1);
    if (/[\udc00-\udfff]/.test(text[at] ?? '')) continue; // inside of a character
    const marks = [false, true].map((up) => ({ at, up, token: -1 }));
    const ids = tokenizer.encodeRequest(text, { allowSpecial: true, guards: [], marks, first: true });
    assert.deepEqual(ids, tokenizer.encode(text, { allowSpecial: true }), 'marks change no ids');
    const [down, up] = marks.map(({ token }) => token) as [number, number];
    const before = Buffer.byteLength(text.slice(0, at));
    assert.ok(
      bytesOf(ids.subarray(0, down)) <= before && before <= bytesOf(ids.subarray(0, up)),
      JSON.stringify([text, at]),
    );
    if (at < text.length) assert.ok(bytesOf(ids.subarray(0, down + 1)) > before);
    if (at > 0) assert.ok(up === 0 || bytesOf(ids.subarray(0, up - 1)) < before);
  }
});

test('a position inside of what normalisation composes belongs to the whole of it', () => {
  const marks = [false, true].map((up) => ({ at: 2, up, token: -1 }));
  const ids = qwen.encodeRequest('ae\u0301 b', { allowSpecial: false, guards: [], marks, first: true });
  assert.equal(qwen.decode(ids.subarray(0, marks[0]!.token)), 'a');
  assert.equal(qwen.decode(ids.subarray(0, marks[1]!.token)), 'a\u00e9');
});
