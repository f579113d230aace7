// The supervised stage: what is read, how it is cut into steps, what is trained on.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { sftSchema } from '../../lib/config/sft.ts';
import { readSupervised } from '../../lib/sft/data.ts';
import { promptAndAnswer } from '../../lib/sft/example.ts';
import { readExamples } from '../../lib/sft/examples.ts';
import { holdOut, planSteps } from '../../lib/sft/plan.ts';
import { byteChat } from '../../lib/text/codec.ts';
import { inTemporaryFolder } from '../support/cli.ts';
import { chatOf } from '../support/text.ts';

const lines = (...rows: unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');

test('conversations, pairs and lists are read, from JSON Lines, JSON and Arrow', () =>
  inTemporaryFolder((folder) => {
    const talk = {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
    };
    const pairs = [
      { prompt: 'x', answer: 'y' },
      {
        prompt: [
          { role: 'system', content: 's' },
          { role: 'user', content: 'x' },
        ],
        completion: 'y',
      },
      { prompt: 'x', response: 'y' },
    ];
    writeFileSync(join(folder, 'a.jsonl'), `${lines(talk, ...pairs)}\n\n`);
    const rows = readSupervised(join(folder, 'a.jsonl'));
    assert.deepEqual(
      rows.map(({ messages, firstTrained }) => [
        messages.map(({ role, content }) => `${role}:${String(content)}`),
        firstTrained,
      ]),
      [
        [['user:a', 'assistant:b'], 0],
        [['user:x', 'assistant:y'], 1],
        [['system:s', 'user:x', 'assistant:y'], 2],
        [['user:x', 'assistant:y'], 1],
      ],
    );
    writeFileSync(join(folder, 'b.json'), JSON.stringify([pairs[0]]));
    assert.equal(readSupervised(join(folder, 'b.json')).length, 1);
    const table = new Table({ prompt: vectorFromArray(['p', 'q']), answer: vectorFromArray(['1', '2']) });
    writeFileSync(join(folder, 'c.arrow'), tableToIPC(table, 'file'));
    assert.deepEqual(
      readSupervised(join(folder, 'c.arrow')).map(({ messages }) => messages.map(({ content }) => content)),
      [
        ['p', '1'],
        ['q', '2'],
      ],
    );
  }));

test('numbers in tool calls are read as Python reads them', () =>
  inTemporaryFolder((folder) => {
    const call = '{"function": {"name": "f", "arguments": {"a": 1.0, "b": 1, "c": 1e22, "d": 12345678901234567890}}}';
    const row = `{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "", "tool_calls": [${call}]}]}`;
    writeFileSync(join(folder, 'a.jsonl'), row);
    writeFileSync(join(folder, 'b.json'), `[${row}]`);
    const chat = chatOf(
      '{% for m in messages %}{% generation %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.arguments | tojson }}' +
        '{% endfor %}{% endgeneration %}{% endfor %}',
    );
    for (const name of ['a.jsonl', 'b.json']) {
      const data = { ...sftSchema.shape.data.parse({ train: join(folder, name) }), heldOut: join(folder, name) };
      const { tokens } = readExamples({ data, seed: 1 }, chat).train[0]!;
      assert.equal(chat.tokenizer.decode(tokens), 'q{"a": 1.0, "b": 1, "c": 1e+22, "d": 12345678901234567890}');
    }
  }));

test('what cannot be read is named by file and line', () =>
  inTemporaryFolder((folder) => {
    const file = join(folder, 'a.jsonl');
    const refused = (text: string, message: RegExp): void => {
      writeFileSync(file, text);
      assert.throws(() => readSupervised(file), message);
    };
    const good = lines({ prompt: 'x', answer: 'y' });
    refused(`${good}\n{"prompt": `, /a\.jsonl:2 is not valid JSON/);
    refused(`${good}\n[1]`, /a\.jsonl:2: expected an object/);
    refused(
      lines({ prompt: 'x' }),
      /a\.jsonl:1: expected "messages", or "prompt" with one of "answer", "completion", "response"/,
    );
    refused(lines({ messages: [{ role: 'user', content: 'a' }] }), /a\.jsonl:1: no message is the assistant's/);
    refused(lines({ messages: [{ content: 'a' }] }), /a\.jsonl:1: messages\.0\.role/);
    refused('\n', /holds no examples/);
    assert.throws(() => readSupervised(join(folder, 'none.jsonl')), /cannot read .*none\.jsonl/);
  }));

test('the mask covers what the assistant says with the end of its turn; of a pair only the answer', () =>
  inTemporaryFolder((folder) => {
    const chat = byteChat();
    const history = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'bc' },
      { role: 'user', content: 'd' },
    ];
    writeFileSync(
      join(folder, 'a.jsonl'),
      lines({ messages: [...history, { role: 'assistant', content: 'e' }] }, { prompt: history, answer: 'e' }),
    );
    const data = {
      train: join(folder, 'a.jsonl'),
      heldOut: null,
      heldOutShare: 0,
      maxTokens: 100,
      tooLong: 'error' as const,
    };
    const { train } = readExamples({ data, seed: 1 }, chat);
    const trained = train.map(({ tokens, mask }) => chat.tokenizer.decode(tokens.filter((_, i) => mask[i] === 1)));
    assert.deepEqual(trained, ['bc<|end|>e<|end|>', 'e<|end|>']);
    assert.throws(
      () => readExamples({ data: { ...data, maxTokens: 5 }, seed: 1 }, chat),
      /a\.jsonl:1: \d+ tokens, more than data\.maxTokens 5/,
    );
    assert.throws(
      () => readExamples({ data: { ...data, maxTokens: 5, tooLong: 'skip' }, seed: 1 }, chat),
      /no example is left/,
    );
  }));

test('every epoch sees every example once, steps stay within their budget, and the plan repeats', () => {
  const examples = Array.from({ length: 37 }, (_, i) =>
    promptAndAnswer(new Int32Array(1 + (i % 7)), new Int32Array(2)),
  );
  const settings = { epochs: 3, batchTokens: 20, seed: 5 };
  const steps = planSteps(examples, settings);
  assert.deepEqual(steps, planSteps(examples, settings));
  const seen = steps.flat();
  assert.equal(seen.length, 3 * 37);
  for (const i of examples.keys()) assert.equal(seen.filter((j) => j === i).length, 3);
  const size = (step: readonly number[]): number => step.reduce((sum, i) => sum + examples[i]!.tokens.length, 0);
  assert.ok(steps.every((step) => size(step) <= 20));
  assert.deepEqual(planSteps(examples, { ...settings, batchTokens: 1 }).length, 3 * 37);
  const { train, heldOut } = holdOut([...examples.keys()], 0.2, 1);
  assert.equal(heldOut.length, 7);
  assert.deepEqual(
    [...train, ...heldOut].sort((a, b) => a - b),
    [...examples.keys()],
  );
});
