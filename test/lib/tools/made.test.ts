// Tasks of our own: they can be solved, and what they say about functions is so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../lib/rng.ts';
import { check } from '../../../lib/tools/bfcl/check.ts';
import { FAMILIES } from '../../../lib/tools/made/registry.ts';
import { makeTask } from '../../../lib/tools/made/tasks.ts';
import { SIMULATORS } from '../../../lib/tools/simulators/registry.ts';
import { CLOCK } from '../../support/tools.ts';

const CLASSES = FAMILIES.map(({ className }) => className);

test('there are errands for every simulated API, and documents of all its functions', () => {
  assert.deepEqual([...CLASSES].sort(), [...SIMULATORS.keys()].sort());
  for (const { className, documents } of FAMILIES) {
    const { methods } = new (SIMULATORS.get(className)!)(CLOCK);
    assert.deepEqual(documents.map(({ name }) => name).sort(), [...methods.keys()].sort());
    for (const { name, description, parameters } of documents) {
      const own = methods.get(name)!.parameters;
      assert.ok(description.length > 5);
      assert.deepEqual(
        Object.keys(parameters.properties),
        own.map((parameter) => parameter.name),
        name,
      );
      const required = own.filter((parameter) => parameter.default === undefined).map((parameter) => parameter.name);
      assert.deepEqual(parameters.required, required, name);
    }
  }
});

for (const className of CLASSES) {
  test(`${className}: every request can be fulfilled, and doing nothing fulfils none`, () => {
    const names = new Set<string>();
    let changed = 0;
    for (let i = 0; i < 200; i++) {
      const task = makeTask(new Random(i, 'made'), String(i), { classes: [className], mixed: 1, requests: 4 }, CLOCK);
      assert.equal(task.turns.length, 4);
      const verdict = check(task, task.groundTruth, { clock: CLOCK });
      assert.ok(verdict.official && verdict.finalStateAndCalls);
      const idle = check(task, [], { clock: CLOCK });
      assert.ok(!idle.finalStateAndCalls && !idle.official);
      if (idle.progress === 0) changed++;
      for (const call of task.groundTruth.flat()) names.add(call.name);
    }
    assert.ok(names.size >= 5, [...names].join(' '));
    assert.equal(changed, 200);
  });
}

test('a task may need several APIs; the same random numbers give the same task', () => {
  const how = { classes: CLASSES, mixed: 3, requests: 3 };
  const draw = (i: number): string => {
    const { turns, classes } = makeTask(new Random(i, 'made'), 'x', how, CLOCK);
    return JSON.stringify([turns, classes]);
  };
  const many = Array.from({ length: 50 }, (_, i) => draw(i));
  assert.deepEqual(
    many,
    Array.from({ length: 50 }, (_, i) => draw(i)),
  );
  assert.ok(new Set(many).size === 50);
  const counts = new Set(many.map((text) => (JSON.parse(text) as [unknown, string[]])[1].length));
  assert.deepEqual([...counts].sort(), [1, 2, 3]);
});
