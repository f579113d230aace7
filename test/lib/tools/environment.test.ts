// The environment tool_use: episodes as a model lives through them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../../lib/environments/create.ts';
import type { Environment } from '../../../lib/environments/environment.ts';
import { isOver } from '../../../lib/environments/episode.ts';
import { toolUse } from '../../../lib/environments/tool-use.ts';
import { stratifiedSplit } from '../../../lib/tools/bfcl/split.ts';
import type { ToolTask } from '../../../lib/tools/bfcl/tasks.ts';
import { byteChat, chatCodec } from '../../../lib/text/codec.ts';
import type { Attempt } from '../../../lib/types.ts';

const CODEC = chatCodec(byteChat());
const made = (settings: object = {}): Environment =>
  createEnvironment(toolUse.settings.parse({ name: 'tool_use', ...settings }), CODEC);

/** Plays answers until the episode is over, or they end. */
async function play(environment: Environment, instance: unknown, answers: Iterable<string> | null): Promise<Attempt[]> {
  const history: Attempt[] = [];
  const given = answers?.[Symbol.iterator]();
  while (!isOver(environment, instance, history)) {
    const next = given?.next();
    if (next?.done) break;
    const tokens = next === undefined ? environment.reference(instance, history) : CODEC.answer(next.value);
    const verdict = await environment.judge(instance, tokens, history);
    assert.ok(verdict.status !== 'infrastructure_error');
    history.push({ tokens, feedback: verdict.feedback, quality: verdict.quality });
  }
  return history;
}
const said = (environment: Environment, attempts: readonly Attempt[]): string[] =>
  attempts.map(({ feedback }) => environment.show(feedback));

for (const format of ['tool', 'hermes', 'llama', 'python'] as const) {
  test(`${format}: references solve made tasks, giving up does not; quality is 1 only where all is done`, async () => {
    for (const quality of ['exact', 'official', 'graded'] as const) {
      const environment = made({ format, quality, mixed: 2 });
      for (let number = 0; number < 30; number++) {
        const instance = environment.task(number, 'held_out');
        const episode = await play(environment, instance, null);
        assert.equal(episode.at(-1)!.quality, 1);
        assert.ok(episode.slice(0, -3).every((attempt) => attempt.quality < 1));
        const [gaveUp, ...more] = await play(environment, instance, ['<TASK_ERROR>', '<TASK_FINISHED>']);
        assert.equal(gaveUp!.quality, 0);
        assert.equal(more.length, 0);
      }
    }
  });
}

test('training has the first request and few answers, evaluation all requests and many', async () => {
  const environment = made({ trainTurns: 4, testTurns: 7 });
  const call = '<tool>{"name": "pwd", "arguments": {}}</tool>';
  for (const [split, limit, finishes] of [
    ['train', 4, 1],
    ['held_out', 7, 3],
  ] as const) {
    const instance = environment.task(3, split);
    assert.equal((await play(environment, instance, Array<string>(20).fill(call))).length, limit);
    assert.equal((await play(environment, instance, Array<string>(20).fill('<TASK_FINISHED>'))).length, finishes);
  }
});

test('whatever is wrong with a call goes back to the model', async () => {
  const environment = made({ classes: ['GorillaFileSystem'] });
  const instance = environment.task(0, 'train');
  const call = (json: string): string => `<tool>${json}</tool>`;
  const feedback = said(
    environment,
    await play(environment, instance, [
      call('{"name": "cd", "arguments": {"folder": "nowhere"}}'),
      call('{"name": "cd", "arguments": {}}'),
      call('{"name": "fly", "arguments": {}}'),
      call('{"name": "cd", "arguments": '),
      'what now?',
    ]),
  );
  assert.match(feedback[0]!, /No such file or directory/);
  assert.match(feedback[1]!, /missing 1 required positional argument: 'folder'/);
  assert.match(feedback[2]!, /name 'fly' is not defined/);
  assert.match(feedback[3]!, /^Error: the call is not valid JSON/);
  assert.match(feedback[4]!, /^Error: an answer ends with a call/);
});

test('an answer in no form is as one that was cut off; a call that fails is not', async () => {
  const environment = made();
  const instance = environment.task(0, 'train');
  const verdict = async (text: string): Promise<unknown> => {
    const found = await environment.judge(instance, CODEC.answer(text), []);
    return found.status !== 'infrastructure_error' && [found.status, found.unfinished ?? false];
  };
  assert.deepEqual(await verdict('hello'), ['invalid', true]);
  assert.deepEqual(await verdict('<tool>{]</tool>'), ['invalid', false]);
  assert.deepEqual(await verdict('<tool>{"name": "fly"}</tool>'), ['valid', false]);
  assert.deepEqual(await verdict('<TASK_FINISHED>'), ['valid', false]);
});

test('an episode that has grown too long for the prompt is over, and no prompt is ever longer', async () => {
  const environment = made({
    classes: ['GorillaFileSystem'],
    promptTokens: 9000,
    answerTokens: 300,
    feedbackTokens: 200,
  });
  const instance = environment.task(1, 'held_out');
  const long = `<tool>{"name": "echo", "arguments": {"content": "${'x'.repeat(220)}"}}</tool>`;
  const episode = await play(environment, instance, Array<string>(60).fill(long));
  assert.ok(episode.length > 3 && episode.length < 60);
  assert.ok(episode.every(({ feedback }) => feedback.length <= 200));
  const before = episode.slice(0, -1);
  // Bytes that are no text, as a model without a clue writes them.
  const garbage = { tokens: new Int32Array(300).fill(0xf0), feedback: new Int32Array(0), quality: 0 };
  for (const previous of [episode.at(-1)!, garbage]) {
    assert.ok(environment.prompt(instance, 'diverge', previous, before).length <= 9000);
  }
});

test('a revision sees the conversation, the request, the response and its result', async () => {
  const environment = made({ classes: ['MathAPI'] });
  const instance = environment.task(2, 'train');
  const [first] = await play(environment, instance, ['<tool>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool>']);
  const base = environment.show(environment.prompt(instance, 'base', null, [first!]));
  assert.match(base, /Result: \{"result": 3\}$/);
  const improve = environment.show(environment.prompt(instance, 'improve', first!, []));
  assert.match(improve, /# Request\n.+\n\n# Current response\n<tool>.+<\/tool>\n\n# Feedback\n\{"result": 3\}$/s);
  const later = environment.show(environment.prompt(instance, 'improve', first!, [first!]));
  assert.match(later, /Result: \{"result": 3\}\n\n.+# Request\n/s);
});

test('a prompt is encoded once, though whether it fits is asked before; another history has another prompt', async () => {
  let encoded = 0;
  const counting = {
    ...CODEC,
    prompt: (...given: Parameters<typeof CODEC.prompt>) => {
      encoded++;
      return CODEC.prompt(...given);
    },
  };
  const settings = toolUse.settings.parse({ name: 'tool_use', classes: ['MathAPI'] });
  const environment = createEnvironment(settings, counting);
  const instance = environment.task(0, 'train');
  const [first] = await play(environment, instance, ['<tool>{"name": "add", "arguments": {"a": 1, "b": 2}}</tool>']);
  assert.ok(!isOver(environment, instance, [first!]));
  const prompt = environment.prompt(instance, 'base', null, [first!]);
  assert.equal(encoded, 1);
  assert.deepEqual(prompt, made({ classes: ['MathAPI'] }).prompt(instance, 'base', null, [{ ...first! }]));
  assert.ok(environment.prompt(instance, 'base', null, [first!, first!]).length > prompt.length);
  assert.notDeepEqual(environment.prompt(environment.task(1, 'train'), 'base', null, [first!]), prompt);
});

test('functions are listed by a chat template that can, and in the first message otherwise', () => {
  const prompts: { tools: readonly unknown[] | null | undefined; text: string }[] = [];
  const codec = {
    ...CODEC,
    listsTools: true,
    prompt: (messages: Parameters<typeof CODEC.prompt>[0], tools?: readonly unknown[] | null) => {
      prompts.push({ tools, text: JSON.stringify(messages) });
      return CODEC.prompt(messages);
    },
  };
  for (const format of ['hermes', 'tool'] as const) {
    const settings = toolUse.settings.parse({ name: 'tool_use', format, classes: ['MathAPI'] });
    const environment = createEnvironment(settings, codec);
    environment.prompt(environment.task(0, 'train'), 'base', null, []);
  }
  const [listed, told] = prompts as [(typeof prompts)[0], (typeof prompts)[0]];
  assert.equal(listed.tools?.length, 17);
  assert.ok(!listed.text.includes('si_unit_conversion'));
  assert.equal(told.tools, null);
  assert.ok(told.text.includes('si_unit_conversion'));
});

test('the first message describes functions by schema, by signature, or not at all', () => {
  const prompt = (documents: string): string => {
    const environment = made({ classes: ['MathAPI'], documents });
    return environment.show(environment.prompt(environment.task(0, 'train'), 'base', null, []));
  };
  assert.match(prompt('schema'), /\{"name":"add","description":"a \+ b\.","parameters":\{"type":"object"/);
  assert.match(prompt('signature'), /\nround_number\(number: number, decimal_places\?: integer\): A number with/);
  assert.ok(prompt('none').length < 100);
});

test('halves are alike in turns and APIs, and do not depend on the order of the file', () => {
  const tasks = Array.from(
    { length: 200 },
    (_, i): ToolTask => ({
      ...{ id: `t${i}`, config: new Map(), excluded: [], groundTruth: [] },
      turns: Array.from({ length: 2 + (i % 3) }, () => []),
      classes: [['A'], ['A', 'B'], ['B', 'A'], ['C']][i % 4]!,
    }),
  );
  const { train, held_out: held } = stratifiedSplit(tasks);
  assert.deepEqual([train.length, held.length], [100, 100]);
  assert.ok(train.every((task) => !held.includes(task)));
  const count = (list: readonly ToolTask[], turns: number, api: string): number =>
    list.filter((task) => task.turns.length === turns && task.classes.includes(api)).length;
  for (const turns of [2, 3, 4]) {
    for (const api of ['A', 'B', 'C']) assert.ok(Math.abs(count(train, turns, api) - count(held, turns, api)) <= 1);
  }
  const again = stratifiedSplit([...tasks].reverse());
  assert.deepEqual(
    again.train.map(({ id }) => id),
    train.map(({ id }) => id),
  );
});
