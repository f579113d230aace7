// ml_engineering: competitions of machine learning. An answer is a program; its score on hidden rows is the quality. At inference
// the best program so far stands, and a program that failed is to be mended.
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { type Competition, SUBMISSION } from '../engineering/competition.ts';
import { feedback } from '../engineering/feedback.ts';
import { openGenerated } from '../engineering/generated/open.ts';
import { FAMILIES, generatedSettings } from '../engineering/generated/settings.ts';
import { openMleBench } from '../engineering/mle-bench.ts';
import { programIn } from '../engineering/program.ts';
import { noProgram, tryProgram } from '../engineering/trial.ts';
import { UserError } from '../errors.ts';
import { deriveSeed } from '../rng.ts';
import { Sandbox } from '../sandbox/sandbox.ts';
import type { Message } from '../text/messages.ts';
import type { Mode, Split } from '../types.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import { Splits } from './splits.ts';
import { promptAndAnswer, type TextLimits } from './text/limits.ts';
import {
  selfIterationMessage,
  type TextAttempt,
  TextEnvironment,
  type TextTasks,
  type TextVerdict,
} from './text/text-environment.ts';

const ids = z.array(z.string().min(1)).min(1).nullable().default(null);

const settings = z.strictObject({
  name: z.literal('ml_engineering'),
  data: z.string().nullable().default(null).describe("Folder with competitions in MLE-bench's layout; null: made ones"),
  train: ids.describe(
    'Competitions of the folder to train on; null: those of the paper that are there, else every other one',
  ),
  test: ids.describe('Competitions of the folder to evaluate on; null: as above, the others'),
  families: z.array(z.enum(FAMILIES)).min(1).default(['regression', 'classification']).describe('Of made competitions'),
  made: z
    .strictObject({ train: z.int().min(1).default(8), test: z.int().min(1).default(8) })
    .prefault({})
    .describe('How many are made'),
  rows: z.int().min(60).max(20_000).default(200).describe('Training rows of made competitions'),
  language: z
    .enum(['python', 'javascript'])
    .nullable()
    .default(null)
    .describe('null: Python for a folder, JavaScript for made ones'),
  seconds: z.number().positive().max(86_400).default(300).describe('A program is stopped after that time'),
  concurrency: z.int().min(1).nullable().default(null).describe('Programs that run at a time; null: one per core'),
  backend: z
    .enum(['bubblewrap', 'webassembly'])
    .nullable()
    .default(null)
    .describe('Sandbox; null: the best one that works'),
  ...promptAndAnswer(12_288, 4096),
});

type Settings = z.infer<typeof settings>;

/** What arXiv 2509.04575 trains and tests on. */
const PAPER: Readonly<Record<Split, readonly string[]>> = {
  train: ['detecting-insults-in-social-commentary', 'spooky-author-identification', 'random-acts-of-pizza'],
  held_out: [
    'jigsaw-toxic-comment-classification-challenge',
    'nomad2018-predict-transparent-conductors',
    'aerial-cactus-identification',
  ],
};

interface Entry {
  readonly id: string;
  open(): Competition;
}

const HOW = {
  python:
    'Write a Python program. Its data are in the folder that the environment variable DATA_DIR names; it writes submission.csv into the ' +
    'current folder. Answer with a short plan and the whole program in one ```python block.',
  javascript:
    'Write a JavaScript program. listFiles() names its data files, readFile(name) returns the text of one; ' +
    "writeFile('submission.csv', text) hands in the answer. Answer with a short plan and the whole program in one ```javascript block.",
} as const;

const START = {
  python: 'def main():\n    pass\n\nmain()\n',
  javascript: 'function main() {\n}\n\nmain();\n',
} as const;

/** A program that hands in the example: the least that is valid. */
const EXAMPLE = {
  python: (sample: string): string =>
    `import os, shutil\nshutil.copy(os.path.join(os.environ['DATA_DIR'], ${JSON.stringify(sample)}), '${SUBMISSION}')\n`,
  javascript: (sample: string): string => `writeFile('${SUBMISSION}', readFile(${JSON.stringify(sample)}));\n`,
} as const;

class Competitions implements TextTasks<Entry> {
  readonly name = 'ml_engineering';
  readonly turns = 1;
  readonly limits: TextLimits;
  readonly selfIterationReward = 'improvement';
  readonly levels = { chance: 0 };
  readonly standing = 'best';
  readonly judging = 'slow';
  readonly references = 'best known';
  readonly sizes: Record<Split, number>;
  readonly #language: 'python' | 'javascript';
  readonly #sandbox: Sandbox;
  readonly #entries: Splits<Entry>;
  readonly #opened = new Map<string, Competition>();

  constructor(given: Settings) {
    this.limits = given;
    this.#language = given.language ?? (given.data === null ? 'javascript' : 'python');
    this.#sandbox = new Sandbox({
      limits: { seconds: given.seconds, cpuSeconds: 4 * given.seconds },
      ...(given.concurrency === null ? {} : { concurrency: given.concurrency }),
      ...(given.backend === null ? {} : { backend: given.backend }),
    });
    this.#entries = new Splits(
      given.data === null ? madeEntries(given) : folderEntries(given.data, given, this.#sandbox),
    );
    this.sizes = this.#entries.sizes;
  }

  task(number: number, split: Split): Entry {
    return this.#entries.at(number, split);
  }

  key({ id }: Entry): string {
    return id;
  }

  part({ id }: Entry): string {
    return id;
  }

  messages(entry: Entry, mode: Mode, previous: TextAttempt | null): Message[] {
    const { description } = this.#competition(entry);
    const request = `${description.trim()}\n\n${HOW[this.#language]}`;
    const template = `\n\nStart from this program:\n\`\`\`${this.#language}\n${START[this.#language]}\`\`\``;
    if (mode === 'base' || previous === null) return [{ role: 'user', content: request + template }];
    const failed = /^Failed: /m.test(previous.feedback);
    const content =
      mode === 'improve' && failed ? debugMessage(request, previous) : selfIterationMessage(mode, request, previous);
    return [{ role: 'user', content }];
  }

  async judge(entry: Entry, answer: string): Promise<TextVerdict> {
    const competition = this.#competition(entry);
    const program = programIn(answer, this.#language);
    const trial =
      program === null
        ? noProgram(`there is no program in a \`\`\`${this.#language} block`)
        : await tryProgram(competition, program, { sandbox: this.#sandbox });
    const status = trial.problem === null ? 'valid' : 'invalid';
    return { status, quality: trial.final, shown: trial.shown, feedback: feedback(competition, trial) };
  }

  reference(entry: Entry): string {
    return `\`\`\`${this.#language}\n${EXAMPLE[this.#language](this.#competition(entry).sample)}\`\`\``;
  }

  demonstration(): null {
    return null;
  }

  #competition(entry: Entry): Competition {
    const known = this.#opened.get(entry.id);
    if (known !== undefined) return known;
    const opened = entry.open();
    this.#opened.set(entry.id, opened);
    return opened;
  }
}

/** A program that failed: what counts is that the next one runs. */
const debugMessage = (request: string, { text, feedback: said }: TextAttempt): string =>
  'Here are a request, the current response to it, and how its program failed. Find the mistake and write a response whose program ' +
  `works.\n\n# Request\n${request}\n\n# Current response\n${text}\n\n# What happened\n${said}`;

function madeEntries({ families, made, rows }: Settings): Record<Split, Entry[]> {
  const folder = join(tmpdir(), `exit-rl-competitions-${process.getuid?.() ?? 0}`);
  const of = (split: Split, count: number): Entry[] =>
    Array.from({ length: count }, (_, number) => {
      const family = families[number % families.length]!;
      const seed = deriveSeed(number, 'ml_engineering', split) % 2 ** 31;
      const how = generatedSettings.parse({ family, rows, testRows: Math.max(40, Math.round(rows / 2)) });
      return { id: `${family}-${split}-${number}-${rows}`, open: () => openGenerated(how, seed, folder) };
    });
  return { train: of('train', made.train), held_out: of('held_out', made.test) };
}

function folderEntries(folder: string, { train, test }: Settings, sandbox: Sandbox): Record<Split, Entry[]> {
  let names: string[];
  try {
    names = readdirSync(folder)
      .filter((name) => existsSync(join(folder, name, 'prepared')))
      .sort();
  } catch (error) {
    throw new UserError(`environment.data ${folder}: ${(error as Error).message}`);
  }
  if (names.length === 0) {
    throw new UserError(
      `environment.data ${folder}: no competition in it; one is a folder with prepared/public and prepared/private, as mlebench prepare makes it`,
    );
  }
  for (const name of [...(train ?? []), ...(test ?? [])]) {
    if (!names.includes(name))
      throw new UserError(`environment.data ${folder}: no competition "${name}"; there are: ${names.join(', ')}`);
  }
  const ofPaper = (split: Split): string[] => names.filter((name) => PAPER[split].includes(name));
  const usesPaper = ofPaper('train').length > 0 && ofPaper('held_out').length > 0;
  const held =
    test ??
    (usesPaper
      ? ofPaper('held_out')
      : names.filter((name, i) => !train?.includes(name) && (train !== null || i % 2 === 1)));
  const trained = train ?? (usesPaper ? ofPaper('train') : names.filter((name) => !held.includes(name)));
  const shared = trained.find((name) => held.includes(name));
  if (shared !== undefined) throw new UserError(`environment: competition "${shared}" is both in train and in test`);
  if (trained.length === 0 || held.length === 0) {
    throw new UserError(
      `environment.data ${folder}: training and evaluation need a competition each; there are: ${names.join(', ')}`,
    );
  }
  const open = (name: string): Entry => ({ id: name, open: () => openMleBench(join(folder, name), { sandbox }) });
  return { train: trained.map(open), held_out: held.map(open) };
}

export const mlEngineering: EnvironmentType<Settings> & { readonly settings: typeof settings; readonly words: true } = {
  settings,
  words: true,
  create: (given, codec) => new TextEnvironment(new Competitions(given), codec) as Environment,
};
