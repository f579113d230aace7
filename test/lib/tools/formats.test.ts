// How answers of models become calls: what is right, and every way in which it is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Reply } from '../../../lib/tools/formats/format.ts';
import { FORMATS, type FormatName } from '../../../lib/tools/formats/registry.ts';
import { toolSchema } from '../../../lib/tools/formats/schema.ts';
import { parseCalls } from '../../../lib/tools/python/literal.ts';
import { writeCall } from '../../../lib/tools/python/write-call.ts';

/** Short: calls as Python writes them, problems with a question mark before them. */
function shown(reply: Reply): string | string[] {
  if (reply.kind === 'none') return `none: ${reply.problem}`;
  if (reply.kind !== 'calls') return reply.kind;
  return reply.calls.map((wanted) => ('problem' in wanted ? `? ${wanted.problem}` : writeCall(wanted.call)));
}
const read = (format: FormatName, answer: string): string | string[] => shown(FORMATS[format].read(answer));

test('a call in <tool> tags, or one of two words; whichever comes first', () => {
  const call = '<tool>{"name": "cd", "arguments": {"folder": "a b"}}</tool>';
  assert.deepEqual(read('tool', call), ["cd(folder='a b')"]);
  assert.deepEqual(read('tool', `I go there.\n${call}\nand then`), ["cd(folder='a b')"]);
  assert.deepEqual(read('tool', `${call}<TASK_FINISHED>`), ["cd(folder='a b')"]);
  assert.deepEqual(read('tool', `<TASK_FINISHED>${call}`), 'finished');
  assert.deepEqual(read('tool', 'All done. <TASK_FINISHED>'), 'finished');
  assert.deepEqual(read('tool', 'No way. <TASK_ERROR>'), 'given up');
  assert.deepEqual(read('tool', '<TASK_ERROR><TASK_FINISHED>'), 'given up');
  assert.match(String(read('tool', 'I would rather not')), /^none: an answer ends with a call/);
  assert.match(String(read('tool', '<tool>{"name": "cd"')), /^none/);
  assert.match(String(read('tool', '{"name": "cd"}</tool>')), /^none: there is no <tool>/);
  assert.deepEqual(read('tool', '<tool>oh <tool>{"name": "pwd"}</tool>'), ['pwd()']);
});

test('what is wrong with JSON is said, and nothing throws', () => {
  const problem = (json: string): string => read('tool', `<tool>${json}</tool>`)[0]!;
  assert.match(problem('{"name": cd}'), /^\? the call is not valid JSON/);
  assert.match(problem(''), /^\? the call is not valid JSON/);
  assert.match(problem('[1]'), /^\? a call must be a JSON object, not a list/);
  assert.match(problem('{"arguments": {}}'), /must have a "name"/);
  assert.match(problem('{"name": 3}'), /must have a "name"/);
  assert.match(problem('{"name": "f", "arguments": [1]}'), /"arguments" of a call must be a JSON object/);
  assert.match(problem('{"name": "f", "arguments": "x"}'), /"arguments" of a call must be a JSON object/);
  // Deep nesting must not take the stack down with it.
  const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
  assert.match(problem(`{"name": "f", "arguments": {"x": ${deep}}}`), /^\? |^f\(/);
});

test('arguments keep their types: 1.0 is a float, long integers keep their digits', () => {
  const [call] = read(
    'tool',
    '<tool>{"name":"f","arguments":{"a":1.0,"b":1,"c":123456789012345678901,"d":[true,null,{"x":"é"}]}}</tool>',
  );
  assert.equal(call, "f(a=1.0, b=1, c=123456789012345678901, d=[True, None, {'x': 'é'}])");
  assert.deepEqual(read('tool', '<tool>{"name":"f","arguments":"{\\"a\\": 1}"}</tool>'), ['f(a=1)']);
  assert.deepEqual(read('tool', '<tool>{"name":"f","arguments":{"__proto__":1,"constructor":2}}</tool>'), [
    'f(__proto__=1, constructor=2)',
  ]);
});

test('Hermes: any number of blocks; an answer without one ends the request', () => {
  const block = (json: string): string => `<tool_call>\n${json}\n</tool_call>`;
  const two = `Now.\n${block('{"name": "f", "arguments": {"a": 1}}')}\n${block('{"name": "g", "arguments": {}}')}`;
  assert.deepEqual(read('hermes', two), ['f(a=1)', 'g()']);
  assert.deepEqual(read('hermes', 'That is it.'), 'finished');
  assert.deepEqual(read('hermes', '<TASK_ERROR>'), 'given up');
  assert.deepEqual(read('hermes', '<tool_call>{"name": "f"}'), ['? a <tool_call> without its </tool_call>']);
  assert.deepEqual(read('hermes', `<tool_call>{"name": "f"}${block('{"name": "g"}')}`), [
    '? a <tool_call> without its </tool_call>',
    'g()',
  ]);
  assert.equal((read('hermes', block('{"name": "f"}').repeat(50)) as string[]).length, 21);
});

test('Llama: an answer that begins with a JSON object is calls', () => {
  assert.deepEqual(read('llama', '{"name": "f", "parameters": {"a": "}{"}}'), ["f(a='}{')"]);
  assert.deepEqual(read('llama', '<|python_tag|>{"name": "f", "parameters": {}}; {"name": "g", "parameters": {}}'), [
    'f()',
    'g()',
  ]);
  assert.deepEqual(read('llama', 'The answer is 3.'), 'finished');
  assert.deepEqual(read('llama', '{"name": "f"'), ['? a JSON object that is never closed']);
});

test("BFCL's own form: a list of calls in Python", () => {
  assert.deepEqual(read('python', "[f(a=1), g('x', b=[True])]"), ['f(a=1)', "g('x', b=[True])"]);
  assert.deepEqual(read('python', 'Done.'), 'finished');
  assert.deepEqual(read('python', '[]'), 'finished');
  assert.match(read('python', '[f(a=__import__("os"))]')[0]!, /^\? the calls cannot be read/);
});

test('what a format writes, it reads', () => {
  const calls = parseCalls(`[f(a="it's \\"so\\"", b=[1, 2.0, None], c={'k': False}), g()]`);
  for (const [name, format] of Object.entries(FORMATS)) {
    const written = name === 'tool' ? calls.slice(0, 1) : calls;
    assert.deepEqual(shown(format.read(format.write(written))), written.map(writeCall), name);
    assert.equal(format.read('<TASK_FINISHED>').kind, 'finished');
    assert.equal(format.read('<TASK_ERROR>').kind, 'given up');
  }
});

test("BFCL's types become those of JSON schema, at every depth; arguments that are called type stay", () => {
  const document = {
    ...{ name: 'f', description: 'd' },
    parameters: {
      type: 'dict',
      properties: { type: { type: 'float', description: 'x' }, list: { type: 'array', items: { type: 'dict' } } },
      required: ['type'],
    },
  };
  assert.deepEqual(toolSchema(document).function.parameters, {
    type: 'object',
    properties: { type: { type: 'number', description: 'x' }, list: { type: 'array', items: { type: 'object' } } },
    required: ['type'],
  });
});
