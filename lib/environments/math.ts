// math: competition problems from files, or made ones. The answer stands in \boxed{}; the verifier says right or wrong.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { type Dataset, type Problem, readProblems, sameProblem } from '../math/dataset.ts';
import { MAKERS, type MakerName } from '../math/generate.ts';
import { verifyInThread } from '../math/verifier.ts';
import { Random } from '../rng.ts';
import type { Message } from '../text/messages.ts';
import type { Mode, Split } from '../types.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import { drawInSplit } from './fixed-prompt.ts';
import { Splits } from './splits.ts';
import { promptAndAnswer, type TextLimits } from './text/limits.ts';
import {
  selfIterationMessage,
  type TextAttempt,
  type TextDemonstration,
  TextEnvironment,
  type TextTasks,
  type TextVerdict,
} from './text/text-environment.ts';

const kinds = Object.keys(MAKERS) as [MakerName, ...MakerName[]];
const files = z.array(z.string().min(1)).min(1).nullable().default(null);

const settings = z.strictObject({
  name: z.literal('math'),
  data: z
    .string()
    .nullable()
    .default(null)
    .describe('Folder with problems (.jsonl, .json, .arrow, .parquet); null: made problems'),
  train: files.describe('Files of the folder to train on; null: those whose name has "train" in it, or a share of all'),
  test: files.describe('Files of the folder to evaluate on; null: the others, or a share of all'),
  kinds: z
    .array(z.enum(kinds))
    .min(1)
    .default(['sum', 'difference', 'product', 'equation'])
    .describe('Of made problems'),
  most: z.int().min(3).max(9999).default(99).describe('Largest number in made problems'),
  instruction: z
    .string()
    .default('Solve the problem. Reason step by step and put your final answer into \\boxed{}.')
    .describe('What the request says beside the problem'),
  ...promptAndAnswer(4096, 1024),
});

type Settings = z.infer<typeof settings>;

/** A fifth of the problems is held out where nobody says which. */
const HELD_OUT_SHARE = 5;

class MathTasks implements TextTasks<Problem> {
  readonly name = 'math';
  readonly turns = 1;
  readonly limits: TextLimits;
  readonly selfIterationReward = 'plain';
  readonly levels = { chance: 0 };
  readonly sizes: Environment['sizes'];
  readonly #settings: Settings;
  readonly #problems: Splits<Problem> | null;

  constructor(given: Settings) {
    this.#settings = given;
    this.limits = given;
    this.#problems = given.data === null ? null : new Splits(readSplits(given.data, given));
    this.sizes = this.#problems?.sizes;
  }

  task(number: number, split: Split): Problem {
    if (this.#problems !== null) return this.#problems.at(number, split);
    const draw = (random: Random) => MAKERS[random.pick(this.#settings.kinds)](random, this.#settings.most);
    const { problem, answer } = drawInSplit(this.name, number, split, draw, ({ numbers }) => numbers);
    return { id: String(number), problem, answer, source: 'made' };
  }

  key({ problem }: Problem): string {
    return problem;
  }

  part({ source }: Problem): string {
    return source;
  }

  messages({ problem }: Problem, mode: Mode, previous: TextAttempt | null): Message[] {
    const { instruction } = this.#settings;
    const request = instruction === '' ? problem : `${instruction}\n\n${problem}`;
    const content = mode === 'base' ? request : selfIterationMessage(mode, request, previous!);
    return [{ role: 'user', content }];
  }

  async judge({ answer: gold }: Problem, answer: string): Promise<TextVerdict> {
    const { status, reason } = await verifyInThread(gold, answer);
    if (status === 'undecided' || status === 'unreadable gold') return { status: 'infrastructure_error', reason };
    return { status: status === 'no answer' ? 'invalid' : 'valid', quality: status === 'equal' ? 1 : 0, feedback: '' };
  }

  reference({ answer }: Problem): string {
    return `\\boxed{${answer}}`;
  }

  /** Of made problems: answers that are right or nearly so, and what a revision makes of them. */
  demonstration(random: Random): TextDemonstration<Problem> | null {
    if (this.#problems !== null) return null;
    const instance = this.task(random.uint32(), 'train');
    const right = this.reference(instance);
    const draft = random.chance(0.5) ? right : `\\boxed{${slipped(instance.answer, random)}}`;
    if (random.chance(0.4)) return { instance, mode: 'base', previous: null, answer: draft };
    const previous = { text: draft, feedback: '', quality: draft === right ? 1 : 0 };
    const mode = random.chance(0.2) ? 'diverge' : 'improve';
    return {
      instance,
      mode,
      previous,
      answer: random.chance(0.7) ? right : `\\boxed{${slipped(instance.answer, random)}}`,
    };
  }
}

/** One digit of an answer changed. */
function slipped(answer: string, random: Random): string {
  const places = [...answer].flatMap((c, i) => (/\d/.test(c) ? [i] : []));
  const at = random.pick(places);
  return `${answer.slice(0, at)}${random.below(10)}${answer.slice(at + 1)}`;
}

function readSplits(folder: string, { train, test }: Pick<Settings, 'train' | 'test'>): Record<Split, Problem[]> {
  let names: string[];
  try {
    names = readdirSync(folder)
      .filter((name) => /\.(?:jsonl|json|arrow|parquet)$/.test(name))
      .sort();
  } catch (error) {
    throw new UserError(`environment.data ${folder}: ${(error as Error).message}`);
  }
  if (names.length === 0 && train === null)
    throw new UserError(`environment.data ${folder}: no .jsonl, .json, .arrow or .parquet file in it`);
  const read = (list: readonly string[]): Problem[] =>
    list.flatMap((name) => reported(join(folder, name), readProblems(join(folder, name))));
  const trained = train ?? names.filter((name) => /train/i.test(name) && !test?.includes(name));
  const tested = test ?? names.filter((name) => !trained.includes(name));
  let splits: Record<Split, Problem[]>;
  if (trained.length > 0 && tested.length > 0) {
    splits = { train: read(trained), held_out: read(tested) };
  } else {
    const all = read([...trained, ...tested]);
    const isHeldOut = ({ problem }: Problem): boolean => hashOf(problem) % HELD_OUT_SHARE === 0;
    splits = { train: all.filter((p) => !isHeldOut(p)), held_out: all.filter(isHeldOut) };
  }
  const heldOut = new Set(splits.held_out.map(({ problem }) => sameProblem(problem)));
  splits.train = splits.train.filter(({ problem }) => !heldOut.has(sameProblem(problem)));
  for (const split of ['train', 'held_out'] as const) {
    if (splits[split].length === 0)
      throw new UserError(
        `environment.data ${folder}: no problem is left for ${split === 'train' ? 'training' : 'evaluation'}`,
      );
    // In an order that has nothing to do with the files: the first n are a random choice.
    const places = new Map(splits[split].map((problem) => [problem, hashOf(problem.problem)]));
    splits[split].sort((a, b) => places.get(a)! - places.get(b)!);
  }
  return splits;
}

const hashOf = (problem: string): number =>
  new Random(0, 'math', ...Array.from(sameProblem(problem), (c) => c.codePointAt(0)!)).uint32();

function reported(file: string, { problems, leftOut }: Dataset): readonly Problem[] {
  if (leftOut.length > 0) {
    const first = leftOut.slice(0, 3).map(({ where, reason }) => `${where}: ${reason}`);
    process.stderr.write(
      `${file}: ${leftOut.length} of ${problems.length + leftOut.length} rows left out; ${first.join('; ')}\n`,
    );
  }
  return problems;
}

export const math: EnvironmentType<Settings> & { readonly settings: typeof settings; readonly words: true } = {
  settings,
  words: true,
  create: (given, codec) => new TextEnvironment(new MathTasks(given), codec) as Environment,
};
