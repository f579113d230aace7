// What every environment must keep. Reads the registry: a new environment is tested the moment it is listed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { ENVIRONMENTS } from '../../lib/environments/registry.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { Random } from '../../lib/rng.ts';
import type { Attempt, Split, Verdict } from '../../lib/types.ts';

const SPLITS: readonly Split[] = ['train', 'held_out'];
const MANY = 300;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

async function judged(
  environment: Environment,
  instance: unknown,
  tokens: Int32Array,
): Promise<Verdict & { status: 'valid' | 'invalid' }> {
  const verdict = await environment.judge(instance, tokens, []);
  assert.notEqual(verdict.status, 'infrastructure_error');
  return verdict as Verdict & { status: 'valid' | 'invalid' };
}

async function attemptOf(environment: Environment, instance: unknown, tokens: Int32Array): Promise<Attempt> {
  const { quality, feedback } = await judged(environment, instance, tokens);
  return { tokens, quality, feedback };
}

for (const [name, { settings }] of Object.entries(ENVIRONMENTS)) {
  const environment = createEnvironment(settings.parse({ name }));
  const { maxTokens } = environment.attempt;
  const randomAnswer = (random: Random): Int32Array =>
    Int32Array.from({ length: maxTokens }, () => random.below(environment.vocabularySize));
  const isTokens = (tokens: Int32Array): boolean =>
    tokens.every((token) => token >= 0 && token < environment.vocabularySize);

  test(`${name}: its name is the one in the registry`, () => {
    assert.equal(environment.name, name);
    assert.throws(() => settings.parse({ name, no_such_setting: 1 }));
  });

  test(`${name}: a number always gives the same instance, another one another`, () => {
    for (const split of SPLITS) {
      for (const number of numbers(20))
        assert.deepEqual(environment.task(number, split), environment.task(number, split));
      const keys = new Set(numbers(MANY).map((number) => environment.key(environment.task(number, split))));
      assert.ok(keys.size > 0.9 * MANY);
    }
  });

  test(`${name}: training and held-out instances share nothing`, () => {
    const train = new Set(numbers(20 * MANY).map((number) => environment.key(environment.task(number, 'train'))));
    for (const number of numbers(5 * MANY))
      assert.ok(!train.has(environment.key(environment.task(number, 'held_out'))));
  });

  test(`${name}: the reference answer is perfect, nothing beats it, the empty answer is worst`, async () => {
    const random = new Random(1, name);
    for (const number of numbers(50)) {
      const instance = environment.task(number, 'train');
      const reference = environment.reference(instance, []);
      assert.ok(reference.length <= maxTokens && isTokens(reference));
      assert.deepEqual(
        { ...(await judged(environment, instance, reference)), feedback: null },
        { status: 'valid', quality: 1, feedback: null },
      );
      const empty = await judged(environment, instance, new Int32Array(0));
      for (let i = 0; i < 5; i++) {
        const { quality } = await judged(environment, instance, randomAnswer(random));
        assert.ok(quality >= empty.quality && quality <= 1);
      }
    }
  });

  test(`${name}: verdicts repeat, and do not change the answer`, async () => {
    const random = new Random(2, name);
    const instance = environment.task(3, 'held_out');
    const answer = randomAnswer(random);
    const copy = answer.slice();
    assert.deepEqual(await judged(environment, instance, answer), await judged(environment, instance, copy));
    assert.deepEqual(answer, copy);
  });

  test(`${name}: prompts hold known tokens, fit, and show the previous attempt to self-iteration`, async () => {
    const random = new Random(3, name);
    for (const number of numbers(20)) {
      const instance = environment.task(number, 'train');
      const base = environment.prompt(instance, 'base', null, []);
      const previous = await attemptOf(environment, instance, randomAnswer(random));
      const improve = environment.prompt(instance, 'improve', previous, []);
      const other = environment.prompt(
        instance,
        'improve',
        await attemptOf(environment, instance, environment.reference(instance, [])),
        [],
      );
      for (const prompt of [base, improve, other]) {
        assert.ok(prompt.length > 0 && prompt.length <= environment.promptTokens && isTokens(prompt));
      }
      assert.notDeepEqual(improve, base);
      assert.notDeepEqual(improve, other);
      assert.deepEqual(environment.prompt(instance, 'improve', previous, []), improve);
      assert.ok(previous.feedback.length === 0 || isTokens(previous.feedback));
    }
  });

  test(`${name}: demonstrations repeat with the random numbers and fit the limits`, () => {
    const draw = (): unknown => {
      const random = new Random(4, name);
      return numbers(100).map(() => environment.demonstration(random));
    };
    assert.deepEqual(draw(), draw());
    for (const demonstration of draw() as ReturnType<Environment['demonstration']>[]) {
      if (demonstration === null) continue;
      const { prompt, answer } = demonstration;
      assert.ok(isTokens(prompt) && isTokens(answer) && answer.length > 0 && answer.length <= maxTokens);
    }
  });

  test(`${name}: the chance level is that of random valid answers`, () => {
    assert.ok(environment.levels.chance >= 0 && environment.levels.chance <= 1);
    for (const level of Object.values(environment.levels)) assert.ok(level >= 0 && level <= 1);
  });
}
