// A whole competition from settings and a seed: files, hidden answers, leaderboard.
import { Random } from '../../rng.ts';
import { Answers, type Scoring } from '../answers.ts';
import type { Table } from '../csv.ts';
import { Leaderboard } from '../leaderboard.ts';
import { METRICS, type MetricName } from '../metrics/registry.ts';
import type { Range } from '../reward.ts';
import { constantEntry, drawEntry, type Entry } from '../solvers/entries.ts';
import { describe } from './description.ts';
import { forecast } from './forecast.ts';
import { cell, type Problem } from './problem.ts';
import type { GeneratedSettings } from './settings.ts';
import { tabular } from './tabular.ts';
import { text } from './text.ts';

const FAMILY: Readonly<Record<GeneratedSettings['family'], (settings: GeneratedSettings, random: Random) => Problem>> =
  {
    classification: tabular,
    regression: tabular,
    text,
    forecast,
  };

export interface Generated {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly train: Table;
  readonly test: Table;
  readonly sample: Table;
  readonly answers: Answers;
  /** Places in the answers: of the score that is shown, and of the one that decides. They share none. */
  readonly shown: readonly number[];
  readonly final: readonly number[];
  /** From a constant guess to knowing the process, on the rows that decide. */
  readonly range: Range;
  readonly entries: readonly { readonly name: string; readonly shown: number; readonly final: number }[];
  readonly leaderboard: Leaderboard;
}

const ID = 'id';

/** Makes the competition of a seed: always the same one. */
export function generate(settings: GeneratedSettings, seed: number): Generated {
  const random = (...use: string[]): Random => new Random(seed, 'competition', settings.family, ...use);
  const problem = FAMILY[settings.family](settings, random('data'));
  const { train, test, features, target, classes, trainTruth, testTruth, metric } = problem;
  const targets = classes ?? [target];
  const scoring: Scoring = { metric, id: ID, targets };
  const label = (value: number): string => (classes === null ? cell(value) : classes[value]!);
  const testIds = test.map((_, row) => String(train.length + row + 1));
  const answerCells = (value: number): string[] =>
    classes === null ? [String(value)] : classes.map((_, k) => (k === value ? '1' : '0'));
  const answers = new Answers(scoring, {
    columns: [ID, ...targets],
    rows: testTruth.map((value, row) => [testIds[row]!, ...answerCells(value)]),
  });
  const [shown, final] = halves(problem, random('split'));
  answers.check(shown);
  answers.check(final);
  const score = ({ name, prediction }: Entry): Generated['entries'][number] => ({
    name,
    shown: answers.score(prediction, shown),
    final: answers.score(prediction, final),
  });
  const constant = constantEntry(problem);
  const others = Array.from({ length: settings.entries - 1 }, (_, i) => drawEntry(problem, random('entry', String(i))));
  const entries = [constant, ...others].map(score);
  const range = rangeOf(metric, entries[0]!.final, answers.score(problem.ideal, final));
  const sample = {
    columns: [ID, ...targets],
    rows: testIds.map((id, row) => [id, ...constant.prediction.map((column) => cell(column[row]!))]),
  };
  return {
    id: `${settings.family}-${seed}`,
    title: problem.title,
    description: describe(problem, settings, sample),
    train: {
      columns: [ID, ...features, target],
      rows: train.map((cells, row) => [String(row + 1), ...cells, label(trainTruth[row]!)]),
    },
    test: { columns: [ID, ...features], rows: test.map((cells, row) => [testIds[row]!, ...cells]) },
    ...{ sample, answers, shown, final, range, entries },
    leaderboard: new Leaderboard(
      entries.map((entry) => entry.final),
      METRICS[metric].better,
    ),
  };
}

/** Two parts of the test rows, at random, so that neither says anything about the other; with the same share of every class. */
function halves({ test, testTruth, metric, classes }: Problem, random: Random): [number[], number[]] {
  const mixed = random.shuffled(test.map((_, row) => row));
  const labelled = classes !== null || metric === 'auc';
  if (labelled) mixed.sort((a, b) => testTruth[a]! - testTruth[b]!);
  const part = (which: number): number[] => mixed.filter((_, i) => i % 2 === which).sort((a, b) => a - b);
  return [part(0), part(1)];
}

/** Where noise leaves nothing, knowing the process may score below a guess: then perfection is the upper end. */
function rangeOf(metric: MetricName, guess: number, ideal: number): Range {
  const { better, best } = METRICS[metric];
  const gains = better === 'higher' ? ideal > guess : ideal < guess;
  return { worst: guess, best: gains ? ideal : best };
}
