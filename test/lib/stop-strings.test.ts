import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../lib/rng.ts';
import { StopStream } from '../../lib/text/stop-strings.ts';
import { goldenTokenizer, userError } from '../support/text.ts';

const qwen = goldenTokenizer('bpe-qwen2');
const letters = (text: string): number[] => Array.from(text, (letter) => qwen.id(letter)!);

/** What was shown before and at the end, and where it stopped. */
function run(stream: StopStream, ids: Iterable<number>) {
  const pieces: string[] = [];
  for (const id of ids) {
    if (stream.stopped !== null) break;
    pieces.push(stream.push(id));
  }
  return { text: pieces.join('') + stream.end(), pieces, stopped: stream.stopped };
}

test('a stop string across tokens ends the text before it', () => {
  const { text, pieces, stopped } = run(new StopStream(qwen, ['</a>']), letters('ab</a>cd'));
  assert.equal(text, 'ab');
  assert.deepEqual(stopped, { stop: '</a>', textLength: 2, tokens: 6, tokensBefore: 2 });
  assert.deepEqual(pieces, ['a', 'b', '', '', '', '']);
});

test('one that begins inside of a token leaves that token out of what is before it', () => {
  const ids = [...letters('a'), qwen.id('ing')!, ...letters('x')];
  const { text, stopped } = run(new StopStream(qwen, ['ngx']), ids);
  assert.equal(text, 'ai');
  assert.deepEqual(stopped, { stop: 'ngx', textLength: 2, tokens: 3, tokensBefore: 1 });
});

test('what only looked like a stop string is given out', () => {
  const { text, pieces, stopped } = run(new StopStream(qwen, ['aab']), letters('aaaac'));
  assert.equal(text, 'aaaac');
  assert.equal(stopped, null);
  assert.deepEqual(pieces, ['', '', 'a', 'a', 'aac']);
});

test('the first of several stop strings counts, then the longest', () => {
  const ids = [qwen.id('ing')!];
  assert.equal(run(new StopStream(qwen, ['ng', 'in', 'ing']), ids).stopped?.stop, 'ing');
  assert.equal(run(new StopStream(qwen, ['g', 'n']), ids).stopped?.stop, 'n');
});

test('characters that lie across tokens count for none of them', () => {
  const ids = [...qwen.encode('é🙂STOP')];
  const { text, stopped } = run(new StopStream(qwen, ['STOP']), ids);
  assert.equal(text, 'é🙂');
  assert.deepEqual([...qwen.encode('é🙂')], ids.slice(0, stopped!.tokensBefore));
  const inside = run(new StopStream(qwen, ['🙂']), ids);
  assert.equal(inside.text, 'é');
  assert.deepEqual([...qwen.encode('é')], ids.slice(0, inside.stopped!.tokensBefore));
});

test('any text, any stop string: the same as looking for it in the whole text', () => {
  for (const name of ['bpe-qwen2', 'bpe-spm']) {
    const tokenizer = goldenTokenizer(name);
    const random = new Random(5, 'stop', name);
    for (let i = 0; i < 1000; i++) {
      const text = Array.from({ length: random.below(30) }, () =>
        random.pick(['a', 'b', ' ', 'the', '你', '🙂', '\n']),
      ).join('');
      const stops = [random.pick(['ab', 'a a', '你a', 'the\n', '🙂🙂', ' ']), random.pick(['ba', 'thea', '\n\n'])];
      const ids = tokenizer.encode(text);
      const { text: shown, stopped } = run(new StopStream(tokenizer, stops), ids);
      const first = Math.min(...stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0));
      assert.equal(shown, Number.isFinite(first) ? text.slice(0, first) : text, JSON.stringify([text, stops]));
      if (stopped === null) continue;
      assert.equal(stopped.textLength, first);
      const before = tokenizer.decode(ids.subarray(0, stopped.tokensBefore));
      assert.ok(text.slice(0, first).startsWith(before) && !before.includes('\ufffd'));
    }
  }
});

test('an empty stop string is refused', () => {
  userError(() => new StopStream(qwen, ['a', '']), /must not be empty/);
});
