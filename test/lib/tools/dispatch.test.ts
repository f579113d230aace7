import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ToolEpisode } from '../../../lib/tools/bfcl/episode.ts';
import { Random } from '../../../lib/rng.ts';
import { writeCall } from '../../../lib/tools/python/write-call.ts';
import { dict, float, type PythonValue } from '../../../lib/tools/python/value.ts';
import { SIMULATORS } from '../../../lib/tools/simulators/registry.ts';
import { CLOCK, episodeOf, resultsOf } from '../../support/tools.ts';

test('arguments are bound as Python binds them', () => {
  const pairs: [call: string, result: string][] = [
    ["echo('x')", '{"terminal_output": "x"}'],
    ["echo(file_name=None, content='x')", '{"terminal_output": "x"}'],
    ['echo()', "GorillaFileSystem.echo() missing 1 required positional argument: 'content'"],
    ["diff(file_name2='a', x=1)", "GorillaFileSystem.diff() got an unexpected keyword argument 'x'"],
    ['diff()', "GorillaFileSystem.diff() missing 2 required positional arguments: 'file_name1' and 'file_name2'"],
    ["echo('x', content='y')", "GorillaFileSystem.echo() got multiple values for argument 'content'"],
    ['pwd(self=1)', "GorillaFileSystem.pwd() got multiple values for argument 'self'"],
    ['pwd(1)', 'GorillaFileSystem.pwd() takes 1 positional argument but 2 were given'],
    ["rm('a', 'b')", 'GorillaFileSystem.rm() takes 2 positional arguments but 3 were given'],
    ['echo(1, 2, 3)', 'GorillaFileSystem.echo() takes from 2 to 3 positional arguments but 4 were given'],
  ];
  const results = resultsOf(
    'GorillaFileSystem',
    {},
    pairs.map(([call]) => call),
  );
  const expected = pairs.map(([, result]) => (result.startsWith('{') ? result : `Error during execution: ${result}`));
  assert.deepEqual(results, expected);
  assert.equal(
    episodeOf('MathAPI').run('logarithm()'),
    "Error during execution: MathAPI.logarithm() missing 3 required positional arguments: 'value', 'base', and 'precision'",
  );
});

test('names that are no methods run nothing', () => {
  const calls = [
    'constructor()',
    '__proto__(1)',
    'toString()',
    'load()',
    'state()',
    'methods()',
    'print(1)',
    'hasOwnProperty()',
  ];
  for (const call of calls) {
    const name = call.split('(')[0];
    assert.equal(episodeOf('MathAPI').run(call), `Error during execution: name '${name}' is not defined`);
  }
  assert.equal(
    episodeOf('MathAPI').run('add(__proto__=1, constructor=2)'),
    "Error during execution: MathAPI.add() got an unexpected keyword argument '__proto__'",
  );
});

test('what BFCL refuses is refused, and bad syntax is a result', () => {
  const results = resultsOf('MathAPI', {}, ['kill()', 'os.exit(1)', 'run', 'add(a=1', 'add(a=x, b=1)', 'add(a=1, 2)']);
  assert.deepEqual(results, [
    'Error during execution: Function call kill is not allowed.',
    'Error during execution: Function call exit is not allowed.',
    'Error during execution: Function call run is not allowed.',
    "Error during execution: '(' was never closed (<string>, line 1)",
    "Error during execution: name 'x' is not defined",
    'Error during execution: positional argument follows keyword argument (<string>, line 1)',
  ]);
});

test('a call that has been read runs like its text', () => {
  const call = { name: 'add', positional: [2], named: [['b', 3] as const] };
  assert.equal(episodeOf('MathAPI').run(call), '{"result": 5}');
  assert.match(episodeOf('MathAPI').run({ ...call, name: 'kill' }), /not allowed/);
});

test('episodes do not share state, and a returned state does not change', () => {
  const config = { following_list: ['a'], authenticated: true };
  const [first, second] = [episodeOf('TwitterAPI', config), episodeOf('TwitterAPI', config)];
  const before = first.state();
  first.run("follow_user('b')");
  first.run("post_tweet('x')");
  first.run("mention(0, ['@a'])");
  assert.deepEqual(second.state(), before);
  assert.notDeepEqual(first.state(), before);
  assert.match(second.run("post_tweet('x')"), /"mentions": \[\]/);
});

test('a class that is not there is an error that names the others', () => {
  assert.throws(
    () => new ToolEpisode(new Map(), ['Nothing']),
    /no simulator of the class Nothing; there are: .*MathAPI/,
  );
});

const ODD: readonly PythonValue[] = [
  ...[null, true, 0, -1, 3, 2n ** 80n, -0.5, 1e300, float(2), Infinity, '', '.', '..', '/', 'a', '1e5', '__proto__'],
  ...[[], ['a'], [1, 2.5], [[]], new Map(), dict({ a: 1 }), new Map([[1, null]])],
];

test('whatever the arguments are, there is a result', () => {
  const random = new Random(7);
  for (const [className, type] of SIMULATORS) {
    for (const [name, { parameters }] of new type(CLOCK).methods) {
      const episode = episodeOf(className);
      for (let i = 0; i < 60; i++) {
        const named = parameters
          .filter((parameter) => parameter.default === undefined || random.below(2) === 0)
          .map((parameter) => [parameter.name, ODD[random.below(ODD.length)]!] as const);
        const call = { name, positional: [], named };
        assert.equal(typeof episode.run(call), 'string', writeCall(call));
      }
      assert.ok(episode.state().size > 0);
    }
  }
});
