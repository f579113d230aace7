// What every environment must keep, as tests.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { episodeQuality, isOver } from '../../lib/environments/episode.ts';
import type { Environment, EnvironmentType } from '../../lib/environments/environment.ts';
import { Random } from '../../lib/rng.ts';
import type { Attempt, Split, Verdict } from '../../lib/types.ts';

const SPLITS: readonly Split[] = ['train', 'held_out'];
const MANY = 300;

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

async function judged(
  environment: Environment,
  instance: unknown,
  tokens: Int32Array,
  history: readonly Attempt[] = [],
): Promise<Verdict & { status: 'valid' | 'invalid' }> {
  const verdict = await environment.judge(instance, tokens, history);
  assert.notEqual(verdict.status, 'infrastructure_error');
  return verdict as Verdict & { status: 'valid' | 'invalid' };
}

async function attemptOf(
  environment: Environment,
  instance: unknown,
  tokens: Int32Array,
  history: readonly Attempt[] = [],
): Promise<Attempt> {
  const { quality, feedback } = await judged(environment, instance, tokens, history);
  return { tokens, quality, feedback };
}

/** Registers the tests of an environment under the name it has in the registry. */
export function testEnvironment(
  name: string,
  environment: Environment,
  settings: Pick<EnvironmentType<unknown>['settings'], 'parse'>,
): void {
  const { maxTokens } = environment.attempt;
  // Verdicts that take long are asked for less often, of shorter answers.
  const slow = environment.judging === 'slow';
  const some = (count: number): number[] => numbers(slow ? Math.min(4, count) : count);
  const perfect = (environment.references ?? 'perfect') === 'perfect';
  const prepared = async (number: number, split: Split): Promise<unknown> => {
    const instance = environment.task(number, split);
    await environment.prepare?.([instance]);
    return instance;
  };
  const randomAnswer = (random: Random): Int32Array =>
    Int32Array.from({ length: Math.min(maxTokens, 512) }, () => random.below(environment.vocabularySize));
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
      const many = Math.min(MANY, environment.sizes?.[split] ?? MANY);
      const keys = new Set(numbers(many).map((number) => environment.key(environment.task(number, split))));
      assert.ok(keys.size > 0.9 * many);
    }
  });

  test(`${name}: training and held-out instances share nothing`, () => {
    const train = new Set(numbers(20 * MANY).map((number) => environment.key(environment.task(number, 'train'))));
    for (const number of numbers(5 * MANY))
      assert.ok(!train.has(environment.key(environment.task(number, 'held_out'))));
  });

  test(`${name}: the reference answer is perfect, nothing beats it, the empty answer is worst`, async () => {
    const random = new Random(1, name);
    for (const number of some(50)) {
      const instance = await prepared(number, 'train');
      const reference = environment.reference(instance, []);
      assert.ok(reference.length <= maxTokens && isTokens(reference));
      const { status, quality: best } = await judged(environment, instance, reference);
      if (environment.references !== 'none') assert.equal(status, 'valid');
      if (perfect && environment.turns === 1) assert.equal(best, 1);
      const empty = await judged(environment, instance, new Int32Array(0));
      for (let i = 0; i < 5; i++) {
        const { quality } = await judged(environment, instance, randomAnswer(random));
        assert.ok(quality >= empty.quality && quality <= 1);
      }
    }
  });

  test(`${name}: verdicts repeat, and do not change the answer`, async () => {
    const random = new Random(2, name);
    for (const number of some(20)) {
      const instance = await prepared(number, 'held_out');
      const answer = randomAnswer(random);
      const copy = answer.slice();
      const verdict = await judged(environment, instance, answer);
      assert.deepEqual(await judged(environment, environment.task(number, 'held_out'), copy), verdict);
      assert.deepEqual(answer, copy);
    }
  });

  test(`${name}: prompts hold known tokens, fit, and show the previous attempt to self-iteration`, async () => {
    const random = new Random(3, name);
    for (const number of some(20)) {
      const instance = await prepared(number, 'train');
      const base = environment.prompt(instance, 'base', null, []);
      const previous = await attemptOf(environment, instance, randomAnswer(random));
      const improve = environment.prompt(instance, 'improve', previous, []);
      const other = environment.prompt(
        instance,
        'improve',
        await attemptOf(environment, instance, environment.reference(instance, [])),
        [],
      );
      const diverge = environment.prompt(instance, 'diverge', previous, []);
      for (const prompt of [base, improve, other, diverge]) {
        assert.ok(prompt.length > 0 && prompt.length <= environment.promptTokens && isTokens(prompt));
      }
      assert.notDeepEqual(improve, base);
      assert.notDeepEqual(improve, other);
      assert.notDeepEqual(diverge, improve);
      assert.notDeepEqual(diverge, base);
      assert.deepEqual(environment.prompt(instance, 'improve', previous, []), improve);
      assert.ok(previous.feedback.length === 0 || isTokens(previous.feedback));
    }
  });

  test(`${name}: an episode of references is perfect in every turn; bad turns before can be made good`, async () => {
    const random = new Random(5, name);
    for (const number of some(20)) {
      const instance = await prepared(number, 'held_out');
      // Whole episodes of references, and ones whose earlier turns were answered at random.
      // Where an episode can end early, a bad answer may end it.
      const wanderers = [environment.reference.bind(environment, instance), () => randomAnswer(random)];
      for (const answerOf of environment.ended === undefined ? wanderers : wanderers.slice(0, 1)) {
        const history: Attempt[] = [];
        while (!isOver(environment, instance, history)) {
          const before = structuredClone(history);
          const base = environment.prompt(instance, 'base', null, history);
          assert.ok(base.length <= environment.promptTokens && isTokens(base));
          const reference = environment.reference(instance, history);
          const { quality } = await judged(environment, instance, reference, history);
          if (perfect && environment.episodeQuality !== 'last') assert.equal(quality, 1);
          const attempt = await attemptOf(environment, instance, answerOf(history), history);
          assert.deepEqual(await attemptOf(environment, instance, attempt.tokens, history), attempt);
          for (const mode of ['improve', 'diverge'] as const) {
            const prompt = environment.prompt(instance, mode, attempt, history);
            assert.ok(prompt.length <= environment.promptTokens && isTokens(prompt));
          }
          assert.deepEqual(history, before);
          history.push(attempt);
        }
        if (answerOf === wanderers[0] && perfect) assert.equal(episodeQuality(history, environment.episodeQuality), 1);
      }
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
