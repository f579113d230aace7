// Token in, token out: sampled tokens stay as they are, and what follows them is what the template writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Chat } from '../../lib/text/chat.ts';
import { chatOf, goldenChat, runs, userError } from '../support/text.ts';

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

const END = { chatml: '<|im_end|>', qwen: '<|im_end|>', llama3: '<|eot_id|>' } as const;
const sampled = (chat: Chat, text: string): Int32Array => chat.tokenizer.encode(text, { allowSpecial: true });

for (const template of ['chatml', 'qwen', 'llama3'] as const) {
  test(`${template}: a transcript has the tokens of the whole conversation`, () => {
    const chat = goldenChat(template);
    const transcript = chat.transcript([user('what <|im_end|> is 1+1?')]);
    assert.deepEqual(
      transcript.tokens(),
      chat.encode([user('what <|im_end|> is 1+1?')], { addGenerationPrompt: true }),
    );
    transcript.appendSampled(sampled(chat, `two${END[template]}`));
    transcript.append([user('<|eot_id|> and 2+2?')]);
    transcript.appendSampled(sampled(chat, `four${END[template]}`));
    const messages = [
      user('what <|im_end|> is 1+1?'),
      assistant('two'),
      user('<|eot_id|> and 2+2?'),
      assistant('four'),
    ];
    const whole = chat.encodeMasked(messages);
    const tokens = transcript.tokens();
    assert.deepEqual(tokens, whole.tokens.subarray(0, tokens.length), 'but for what the template puts behind the last');
    assert.deepEqual(runs(transcript.lossMask()), runs(whole.assistantMask));
  });
}

test('sampled tokens are kept where encoding their text would give others', () => {
  const chat = goldenChat('qwen');
  const letters = Int32Array.from('tree', (letter) => chat.tokenizer.id(letter)!);
  assert.notDeepEqual(chat.tokenizer.encode('tree'), letters);
  const transcript = chat.transcript([user('name a plant')]);
  const start = transcript.length;
  transcript.appendSampled(Int32Array.of(...letters, chat.tokenizer.id('<|im_end|>')!));
  transcript.append([user('another')]);
  assert.deepEqual(transcript.tokens().subarray(start, start + 4), letters);
  assert.deepEqual(runs(transcript.lossMask()), [[start, start + 5]]);
});

test('an answer that was cut off gets the end of its turn, which is not trained on', () => {
  const chat = goldenChat('chatml');
  const transcript = chat.transcript([user('go')]);
  const start = transcript.length;
  transcript.appendSampled(sampled(chat, 'one two'));
  transcript.append([user('stop')]);
  assert.equal(
    chat.tokenizer.decode(transcript.tokens().subarray(start)),
    'one two<|im_end|>\n<|im_start|>user\nstop<|im_end|>\n<|im_start|>assistant\n',
  );
  assert.deepEqual(runs(transcript.lossMask()), [[start, start + sampled(chat, 'one two').length]]);
});

test('thoughts stay in a transcript whose template drops them from earlier answers', () => {
  const chat = goldenChat('qwen');
  const transcript = chat.transcript([user('a')]);
  const thought = '<think>\nhm\n</think>\n\nx<|im_end|>';
  transcript.appendSampled(sampled(chat, thought));
  transcript.append([user('b')]);
  const text = chat.tokenizer.decode(transcript.tokens());
  assert.ok(text.endsWith(`${thought}\n<|im_start|>user\nb<|im_end|>\n<|im_start|>assistant\n`), text);
});

const call = (name: string) => ({
  ...assistant(''),
  tool_calls: [{ type: 'function', function: { name, arguments: { a: 1 } } }],
});

test('tool results follow a tool call', () => {
  for (const template of ['chatml', 'qwen', 'llama3'] as const) {
    const chat = goldenChat(template);
    const messages = [user('use the tool')];
    const result = { role: 'tool', content: 'done <|im_start|>' };
    const whole = chat.encode([...messages, call('f'), result], { addGenerationPrompt: true });
    const { tokens, assistantMask } = chat.encodeMasked([...messages, call('f'), result]);
    const [[start, end]] = runs(assistantMask) as [[number, number]];
    const transcript = chat.transcript(messages);
    transcript.appendSampled(tokens.slice(start, end), { message: call('f') });
    transcript.append([result]);
    assert.deepEqual(transcript.tokens(), whole, template);
  }
});

test('answers stop at the eos token and at what the template ends a turn with', () => {
  const names = (chat: Chat): string[] => chat.stopTokens().map((id) => chat.tokenizer.token(id)!);
  assert.deepEqual(names(goldenChat('chatml')), ['<|im_end|>']);
  assert.deepEqual(names(goldenChat('llama3')), ['<|eot_id|>']);
  const other = chatOf('{% for m in messages %}<|im_start|>{{ m.content }}<|endoftext|>\n{% endfor %}');
  assert.deepEqual(names(other), ['<|im_end|>', '<|endoftext|>']);
});

test('a template that ends only the turns of users', () => {
  const chat = chatOf(
    "{% for m in messages %}{{ m.content }}{{ '<|im_end|>' if m.role == 'user' else '|' }}{% endfor %}",
  );
  const transcript = chat.transcript([user('a')]);
  transcript.appendSampled(sampled(chat, 'x<|im_end|>'));
  transcript.append([user('b')]);
  assert.equal(chat.tokenizer.decode(transcript.tokens()), 'a<|im_end|>x<|im_end|>|b<|im_end|>');
});

test('forks go on independently', () => {
  const chat = goldenChat('chatml');
  const prompt = chat.transcript([user('go')]);
  const [first, second] = [prompt.fork(), prompt.fork()];
  first.appendSampled(sampled(chat, 'a<|im_end|>'));
  second.appendSampled(sampled(chat, 'a longer one<|im_end|>'));
  second.append([user('more')]);
  assert.equal(prompt.length + 2, first.length);
  assert.ok(second.length > first.length);
  assert.equal(first.lossMask().length, first.length);
});

test('what is out of turn is refused', () => {
  const chat = goldenChat('chatml');
  const transcript = chat.transcript([user('go')]);
  userError(() => transcript.append([user('again')]), /awaits an answer/);
  transcript.appendSampled(sampled(chat, 'a<|im_end|>'));
  userError(() => transcript.appendSampled(sampled(chat, 'b')), /has its answer/);
  userError(() => transcript.append([{ role: 'critic', content: '' }]), /unknown role "critic"/);
  const silent = chatOf('{{ messages[0].content }}').transcript([user('go')]);
  silent.appendSampled(sampled(chat, 'a'));
  userError(() => silent.append([user('b')]), /does not show what follows an answer/);
});
