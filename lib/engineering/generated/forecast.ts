// Daily demand of several shops: level, trend, weekly and yearly pattern, promotions, noise that lasts. The days to predict
// follow the days that are known.
import type { Random } from '../../rng.ts';
import { cell, matrix, normal, type Problem } from './problem.ts';
import type { GeneratedSettings } from './settings.ts';

const WEEK = 7;
const YEAR = 365.25;
/** Of the noise from one day to the next. */
const PERSISTENCE = 0.6;

interface Day {
  readonly shop: number;
  readonly day: number;
  readonly promotion: boolean;
  readonly expected: number;
  readonly demand: number;
}

export function forecast(settings: GeneratedSettings, random: Random): Problem {
  const { rows, testRows, columns, missing } = settings;
  const shops = Math.max(1, Math.min(Math.ceil(columns / 4), Math.floor(testRows / 2)));
  const known = Math.ceil(rows / shops);
  const ahead = Math.ceil(testRows / shops);
  const days = Array.from({ length: shops }, (_, shop) => series(shop, known, ahead, settings, random)).flat();
  // By day: a table of sales as shops have them.
  const ordered = days.sort((a, b) => a.day - b.day || a.shop - b.shop);
  const train = ordered.filter(({ day }) => day < known).slice(-rows);
  const test = ordered.filter(({ day }) => day >= known).slice(0, testRows);
  const cells = ({ shop, day, promotion }: Day): string[] => [
    `S${shop + 1}`,
    String(day),
    String(day % WEEK),
    random.chance(missing) ? '' : promotion ? '1' : '0',
  ];
  const features = ({ shop, day, promotion }: Day): number[] => [
    ...Array.from({ length: shops - 1 }, (_, s) => (shop === s + 1 ? 1 : 0)),
    ...Array.from({ length: WEEK - 1 }, (_, d) => (day % WEEK === d + 1 ? 1 : 0)),
    day / known,
    promotion ? 1 : 0,
    Math.sin((2 * Math.PI * day) / YEAR),
    Math.cos((2 * Math.PI * day) / YEAR),
  ];
  return {
    title: 'Demand of the coming days',
    story:
      'One row for each shop and day: `shop`, `day` (counted from 0), `weekday` (0 to 6), `promotion` (1, 0 or empty). ' +
      'The target `demand` is to be predicted for the days after the last known one.',
    metric: 'mae',
    classes: null,
    target: 'demand',
    features: ['shop', 'day', 'weekday', 'promotion'],
    train: train.map(cells),
    test: test.map(cells),
    trainTruth: train.map(({ demand }) => demand),
    testTruth: test.map(({ demand }) => demand),
    ideal: [test.map(({ expected }) => expected)],
    design: { train: matrix(train.map(features)), test: matrix(test.map(features)) },
  };
}

function series(shop: number, known: number, ahead: number, settings: GeneratedSettings, random: Random): Day[] {
  const { noise, interactions, shift } = settings;
  const level = 50 + 100 * random.uniform();
  const weekly = Array.from({ length: WEEK }, () => 0.15 * level * normal(random));
  const trend = (0.2 * level * normal(random)) / known;
  const yearly = 0.15 * level * random.uniform();
  const phase = 2 * Math.PI * random.uniform();
  const promotionEffect = 0.3 * level * random.uniform();
  // Where promotions interact, they work on some weekdays only.
  const promotionDays = Array.from({ length: WEEK }, () => (interactions > 0 && random.chance(0.5) ? 0 : 1));
  const jump = shift * 0.15 * level * (random.chance(0.5) ? 1 : -1);
  const spread = 0.2 * level * noise;
  let carried = 0;
  return Array.from({ length: known + ahead }, (_, day) => {
    const promotion = random.chance(0.2);
    carried = PERSISTENCE * carried + Math.sqrt(1 - PERSISTENCE ** 2) * spread * normal(random);
    const expected =
      level +
      weekly[day % WEEK]! +
      trend * day +
      yearly * Math.sin((2 * Math.PI * day) / YEAR + phase) +
      (promotion ? promotionEffect * promotionDays[day % WEEK]! : 0) +
      (day >= 0.8 * known ? jump : 0);
    return { shop, day, promotion, expected, demand: Number(cell(expected + carried)) };
  });
}
