// Errands of arithmetic.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say } from './family.ts';

const number = (random: Random): number => 2 + random.below(98);
const list = (random: Random): number[] => Array.from({ length: 3 + random.below(3) }, () => number(random));
const words = (numbers: readonly number[]): string => `${numbers.slice(0, -1).join(', ')} and ${numbers.at(-1)}`;

const OF_LISTS: readonly (readonly [name: string, ...wordings: string[]])[] = [
  ['mean', 'the mean', 'the average'],
  ['sum_values', 'the sum', 'the total'],
  ['max_value', 'the largest', 'the maximum'],
  ['min_value', 'the smallest', 'the minimum'],
  ['standard_deviation', 'the standard deviation'],
];
const OF_TWO: readonly ((random: Random, a: number, b: number) => Errand)[] = [
  (r, a, b) => ({ request: say(r, `Add ${a} and ${b}.`, `What is ${a} plus ${b}?`), calls: [call('add', { a, b })] }),
  (r, a, b) => ({
    request: say(r, `Subtract ${b} from ${a}.`, `What is ${a} minus ${b}?`),
    calls: [call('subtract', { a, b })],
  }),
  (r, a, b) => ({
    request: say(r, `Multiply ${a} by ${b}.`, `What is ${a} times ${b}?`),
    calls: [call('multiply', { a, b })],
  }),
  (r, a, b) => ({
    request: say(r, `Divide ${a} by ${b}.`, `What is ${a} divided by ${b}?`),
    calls: [call('divide', { a, b })],
  }),
  (r, a, b) => ({
    request: say(r, `What percentage of ${b} is ${a}?`, `${a} of ${b}: how much is that in percent?`),
    calls: [call('percentage', { part: a, whole: b })],
  }),
  (r, a, b) => ({
    request: say(r, `The square root of ${a * b}, to ${2 + (b % 4)} digits, please.`),
    calls: [call('square_root', { number: a * b, precision: 2 + (b % 4) })],
  }),
  (r, a, b) => ({
    request: say(r, `Raise ${a} to the power of ${2 + (b % 3)}.`),
    calls: [call('power', { base: a, exponent: 2 + (b % 3) })],
  }),
  (r, a) => ({
    request: say(r, `Convert ${a} kilometres (km) to metres (m).`, `How many metres (m) are ${a} km?`),
    calls: [call('si_unit_conversion', { value: a, unit_in: 'km', unit_out: 'm' })],
  }),
];

function errand(random: Random): Errand {
  if (random.chance(0.5)) return random.pick(OF_TWO)(random, number(random), number(random));
  const [name, ...wordings] = random.pick(OF_LISTS);
  const numbers = list(random);
  const what = `${random.pick(wordings)} of ${words(numbers)}`;
  return { request: say(random, `What is ${what}?`, `Tell me ${what}.`), calls: [call(name, { numbers })] };
}

export const math: Family = {
  className: 'MathAPI',
  scene: () => ({ config: {}, errand }),
  documents: documents(`
    logarithm(value: float, base: float, precision: int): The logarithm of a value to a base, to so many digits.
    mean(numbers: numbers): The mean of numbers.
    standard_deviation(numbers: numbers): The standard deviation of numbers.
    si_unit_conversion(value: float, unit_in: str, unit_out: str): Convert between units of the SI, as km, m, cm, kg, g.
    imperial_si_conversion(value: float, unit_in: str, unit_out: str): Convert between imperial units and those of the SI.
    add(a: float, b: float): a + b.
    subtract(a: float, b: float): a - b.
    multiply(a: float, b: float): a * b.
    divide(a: float, b: float): a / b.
    power(base: float, exponent: float): A base to the power of an exponent.
    square_root(number: float, precision: int): The square root of a number, to so many digits.
    absolute_value(number: float): A number without its sign.
    round_number(number: float, decimal_places?: int): A number with so many decimal places.
    percentage(part: float, whole: float): How many percent of the whole a part is.
    min_value(numbers: numbers): The smallest of numbers.
    max_value(numbers: numbers): The largest of numbers.
    sum_values(numbers: numbers): The sum of numbers.
  `),
};
