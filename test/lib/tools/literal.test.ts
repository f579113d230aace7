import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCall, parseCalls, parseLiteral } from '../../../lib/tools/python/literal.ts';
import { NotACall, UndefinedName } from '../../../lib/tools/python/not-a-call.ts';
import { repr } from '../../../lib/tools/python/print.ts';
import { writeCall } from '../../../lib/tools/python/write-call.ts';

test('literals keep their types', () => {
  const pairs: [text: string, printed: string][] = [
    ['1', '1'],
    ['1.0', '1.0'],
    ['-0.0', '-0.0'],
    ['1e3', '1000.0'],
    ['1_000', '1000'],
    ['0x1F', '31'],
    ['.5', '0.5'],
    ['- 5', '-5'],
    ['123456789012345678901', '123456789012345678901'],
    ['None', 'None'],
    ["[True, False, 'a',]", "[True, False, 'a']"],
    ['(1, 2)', '[1, 2]'],
    ['(1)', '1'],
    ['(1,)', '[1]'],
    ["{'b': 1, 2: {'__proto__': []}}", "{'b': 1, 2: {'__proto__': []}}"],
    ["'it''s' \"x\"", "'itsx'"],
    [String.raw`'a\n\t\\\'\x41\u00e9\101\q'`, String.raw`"a\n\t\\'AéA\\q"`],
    [String.raw`r'a\n'`, String.raw`'a\\n'`],
    ["'''a\n'b'\n'''", String.raw`"a\n'b'\n"`],
  ];
  for (const [text, printed] of pairs) assert.equal(repr(parseLiteral(text)), printed, text);
});

test('a call is read into its name and arguments, and written back', () => {
  const call = parseCall(` f ( 1, 'x', a = [1.0], b={'k': None}, ) `);
  assert.equal(call.name, 'f');
  assert.equal(call.positional.length, 2);
  assert.deepEqual(
    call.named.map(([name]) => name),
    ['a', 'b'],
  );
  assert.equal(writeCall(call), "f(1, 'x', a=[1.0], b={'k': None})");
  assert.deepEqual(parseCall(writeCall(call)), call);
  assert.deepEqual(parseCalls('[f(a=1), g()]').map(writeCall), ['f(a=1)', 'g()']);
  assert.deepEqual(parseCalls('f(a=1)').map(writeCall), ['f(a=1)']);
});

test('what is no call with literals is refused', () => {
  const errors: [text: string, message: RegExp][] = [
    ['', /invalid syntax/],
    ['f(', /'\(' was never closed/],
    ["f('a", /unterminated string literal/],
    ['f(a=1, 2)', /positional argument follows keyword argument/],
    ['f(a=1, a=2)', /keyword argument repeated: a/],
    ['f(1 2)', /invalid syntax/],
    ['f() or g()', /invalid syntax/],
    ['f(a=g())', /name 'g' is not defined/],
    ['f(a=true)', /name 'true' is not defined/],
    ['f', /name 'f' is not defined/],
    ['f.__class__(1)', /invalid syntax/],
    ['f(*[1])', /invalid syntax/],
    ['f(a=1+2)', /invalid syntax/],
    ['f(a=3j)', /invalid syntax/],
    ['f(a=01)', /leading zeros/],
    ['f({[]: 1})', /keys must be/],
    [String.raw`f('\x4')`, /unicode error/],
    [`f(${'['.repeat(1000)})`, /too many nested/],
    [`f(${'9'.repeat(5000)})`, /Exceeds the limit/],
  ];
  for (const [text, message] of errors) {
    assert.throws(
      () => parseCall(text),
      (error) => error instanceof NotACall && message.test(error.message),
      text.slice(0, 40),
    );
  }
  assert.throws(() => parseCall('f(a=b)'), UndefinedName);
});

test('long texts are read in linear time', () => {
  const text = 'x'.repeat(2_000_000);
  assert.equal(parseLiteral(`'${text}'`), text);
  assert.throws(() => parseCall(`f('${text}`), NotACall);
});
