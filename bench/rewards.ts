// Rewards that are computed here: mathematical answers compared, tool calls run, episodes of tool use checked.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MAKERS, type MakerName } from '../lib/math/generate.ts';
import { readProblems } from '../lib/math/dataset.ts';
import { verify } from '../lib/math/verify.ts';
import { Random } from '../lib/rng.ts';
import { check } from '../lib/tools/bfcl/check.ts';
import { ToolEpisode } from '../lib/tools/bfcl/episode.ts';
import type { ToolTask } from '../lib/tools/bfcl/tasks.ts';
import { FAMILIES } from '../lib/tools/made/registry.ts';
import { makeTask } from '../lib/tools/made/tasks.ts';
import { median } from './support/median.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

const CLOCK = { now: () => Date.UTC(2026, 0, 1) };
const TASKS = 100;
const PAIRS = 2000;

type Pair = readonly [gold: string, answer: string];

/** EXIT_RL_DATA: a folder with math/ as the tests read it; its gold answers are compared with one another and with model answers. */
function pairs(): { readonly of: string; readonly list: readonly Pair[] } {
  const random = new Random(1, 'bench', 'rewards');
  const data = process.env['EXIT_RL_DATA'];
  if (data === undefined) {
    const kinds = Object.keys(MAKERS) as MakerName[];
    const made = Array.from({ length: PAIRS }, () => MAKERS[random.pick(kinds)](random, 999).answer);
    return { of: 'made answers', list: made.map((gold, i) => [gold, `\\boxed{${made[(i + (i % 2)) % PAIRS]}}`]) };
  }
  const golds = readProblems(path.join(data, 'math', 'math500.jsonl')).problems.map(({ answer }) => answer);
  const file = path.join(data, 'math', 'math500_model_answers_a.json');
  const own = (JSON.parse(readFileSync(file, 'utf8')) as { answer: string; prediction: string }[]).map(
    ({ answer, prediction }): Pair => [answer, prediction],
  );
  const crossed = golds.map((gold): Pair => [gold, `\\boxed{${random.pick(golds)}}`]);
  return { of: 'MATH-500, model answers and other gold answers', list: [...own, ...crossed] };
}

export async function rewards({ repeats, only }: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: object[] = [];
  const measure = (what: string, of: string, amount: number, run: () => void): void => {
    if (only !== null && !`${what} ${of}`.includes(only)) return;
    run(); // compiled by then
    const seconds = Array.from({ length: repeats }, () => timed(run));
    rows.push([what, of, digits(amount / median(seconds))]);
    data.push({ what, of, seconds, amount });
  };
  const { of, list } = pairs();
  measure('answers verified/s', of, list.length, () => {
    for (const [gold, answer] of list) verify(gold, answer, { extraction: 'strict' });
  });
  const each = list.map(([gold, answer]) => timed(() => verify(gold, answer, { extraction: 'strict' })));
  rows.push(
    ['one verification, median ms', of, digits(1e3 * median(each))],
    ['slowest, ms', of, digits(1e3 * Math.max(...each))],
  );
  for (const { className } of FAMILIES) {
    const random = new Random(1, 'bench', className);
    const how = { classes: [className], mixed: 1, requests: 3 };
    const tasks = Array.from({ length: TASKS }, (_, i): ToolTask => makeTask(random, String(i), how, CLOCK));
    const calls = tasks.reduce((sum, { groundTruth }) => sum + groundTruth.flat().length, 0);
    measure('tool calls/s, new simulator per episode', className, calls, () => {
      for (const { config, classes, groundTruth } of tasks) {
        const episode = new ToolEpisode(config, classes, CLOCK);
        for (const call of groundTruth.flat()) episode.run(call);
      }
    });
    measure('episodes checked/s', className, TASKS, () => {
      for (const task of tasks) check(task, task.groundTruth, { clock: CLOCK });
    });
  }
  const notes = ['One thread. EXIT_RL_DATA names a folder with math/ for answers of a public set.'];
  return {
    name: 'rewards',
    title: 'Verified answers and tool calls',
    columns: ['what', 'of', 'value'],
    rows,
    notes,
    data,
  };
}

function timed(run: () => void): number {
  const start = performance.now();
  run();
  return (performance.now() - start) / 1e3;
}
