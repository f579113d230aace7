// openenv: an environment of somebody else, on a server that speaks the protocol of OpenEnv. A task is a seed. A turn is one step on
// the server: the answer is the action, the observation is the feedback, the reward the quality.
import { z } from 'zod';
import { UsageError, UserError } from '../errors.ts';
import { ClientError } from '../openenv/client.ts';
import { SessionPool } from '../openenv/pool.ts';
import { isLast, playOn, ReplayError, type Start } from '../openenv/replay.ts';
import { checkSchema } from '../openenv/schema.ts';
import { qualityOf, textOf, type Translation } from '../openenv/translate.ts';
import type { Message } from '../text/messages.ts';
import type { Mode, Split } from '../types.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import type { TextCodec } from './text/codec.ts';
import { promptAndAnswer, type TextLimits } from './text/limits.ts';
import {
  selfIterationMessage,
  storedFeedback,
  type TextAttempt,
  TextEnvironment,
  type TextTasks,
  type TextVerdict,
} from './text/text-environment.ts';

const count = z.int().min(1);
const members = z.record(z.string(), z.json()).default({});

const settings = z.strictObject({
  name: z.literal('openenv'),
  url: z
    .string()
    .regex(/^(https?|wss?):\/\/./, { error: 'must begin with http://, https://, ws:// or wss://' })
    .default('http://127.0.0.1:8000')
    .describe('The server; its WebSocket is at /ws'),
  tasks: z
    .strictObject({ train: count.default(1000), test: count.default(200) })
    .prefault({})
    .describe('Numbers of tasks: seeds from 0 on to train on, the ones behind them to evaluate on'),
  resetWith: members.describe('What reset gets beside the seed'),
  turns: count.max(1000).default(8).describe('Steps of an episode, at most'),
  actionField: z
    .string()
    .min(1)
    .nullable()
    .default('text')
    .describe('Member of an action that is the answer; null: the answer holds the action as a JSON object'),
  actionWith: members.describe('Other members of every action'),
  observationField: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('Member of an observation that is shown (a.b: within another); null: all of it as JSON'),
  instruction: z.string().default('').describe('What the first request says before the observation'),
  rewards: z
    .strictObject({ low: z.number().default(0), high: z.number().default(1) })
    .refine(({ low, high }) => low < high, { error: 'low must be below high' })
    .prefault({})
    .describe('Rewards that are quality 0 and 1'),
  episode: z
    .enum(['mean', 'last'])
    .default('last')
    .describe('What an episode is worth: the mean quality of its steps, or that of its last one'),
  sessions: count.max(1024).default(8).describe('Sessions at a time, at most'),
  seconds: z.number().positive().max(500).default(60).describe('Longest wait for the server'),
  ...promptAndAnswer(4096, 512),
  feedbackTokens: z.int().min(32).default(1024).describe('Longest observation after a step, in tokens of the model'),
});

type Settings = z.infer<typeof settings>;

interface Seeded {
  readonly seed: number;
}

class OpenEnvTasks implements TextTasks<Seeded> {
  readonly name = 'openenv';
  readonly turns: number;
  readonly limits: TextLimits;
  readonly selfIterationReward = 'plain';
  readonly levels = { chance: 0 };
  readonly judging = 'slow';
  readonly references = 'none';
  readonly episodeQuality: Environment['episodeQuality'];
  readonly sizes: Record<Split, number>;
  readonly #settings: Settings;
  readonly #translation: Translation;
  readonly #codec: TextCodec;
  readonly #pool: SessionPool;
  /** First observations by seed. */
  readonly #shown = new Map<number, string>();
  #checked: Promise<void> | null = null;
  #accepted = false;

  constructor(given: Settings, codec: TextCodec) {
    this.#settings = given;
    this.#translation = given;
    this.#codec = codec;
    this.turns = given.turns;
    this.limits = given;
    this.episodeQuality = given.episode;
    this.sizes = { train: given.tasks.train, held_out: given.tasks.test };
    this.#pool = new SessionPool(given.url, given);
  }

  task(number: number, split: Split): Seeded {
    const { train, test } = this.#settings.tasks;
    return { seed: split === 'train' ? number % train : train + (number % test) };
  }

  key({ seed }: Seeded): string {
    return String(seed);
  }

  async prepare(instances: readonly Seeded[]): Promise<void> {
    const { url, seconds } = this.#settings;
    try {
      this.#checked ??= checkSchema(url, seconds, this.#translation);
      await this.#checked;
      const seeds = new Set(instances.map(({ seed }) => seed));
      await Promise.all([...seeds].filter((seed) => !this.#shown.has(seed)).map((seed) => this.#begin(seed)));
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      throw new UserError(`environment.url ${url}: ${error.message}; ${ADVICE[error.kind]}`, { resumable: true });
    }
  }

  messages({ seed }: Seeded, mode: Mode, previous: TextAttempt | null, history: readonly TextAttempt[]): Message[] {
    const { instruction } = this.#settings;
    const requests = [
      [instruction, this.#start(seed).shown].filter((part) => part !== '').join('\n\n'),
      ...history.map(({ feedback }) => feedback),
    ];
    const said = requests.flatMap((request, turn): Message[] => [
      { role: 'user', content: request },
      ...history.slice(turn, turn + 1).map(({ text }) => ({ role: 'assistant', content: text })),
    ]);
    if (mode === 'base' || previous === null) return said;
    return said.with(-1, { role: 'user', content: selfIterationMessage(mode, requests.at(-1)!, previous) });
  }

  ended(_: Seeded, history: readonly TextAttempt[]): boolean {
    return isLast(history.at(-1)!.feedback);
  }

  async judge({ seed }: Seeded, answer: string, history: readonly TextAttempt[]): Promise<TextVerdict> {
    const how = { translation: this.#translation, stored: (feedback: string) => this.#stored(feedback) };
    try {
      const start = this.#start(seed);
      const outcome = await this.#pool.run((session) => playOn(session, start, history, answer, how));
      const { feedback } = outcome;
      if (outcome.kind === 'refused') {
        this.#requireAccepted(feedback);
        return { status: 'invalid', quality: 0, feedback };
      }
      this.#accepted = true;
      const { observed } = outcome;
      if (observed.done && (observed.reward ?? null) === null) return unjudged('the episode ended without a reward');
      const status = observed.metadata?.['valid'] === false ? 'invalid' : 'valid';
      return { status, quality: qualityOf(observed, this.#translation), feedback };
    } catch (error) {
      if (error instanceof ClientError) return unjudged(`${this.#settings.url}: ${error.message}`);
      if (error instanceof ReplayError) return unjudged(`${this.#settings.url}: ${error.message}; ${REPEATS}`);
      throw error;
    }
  }

  /** None is known. */
  reference(): string {
    return '';
  }

  demonstration(): null {
    return null;
  }

  async #begin(seed: number): Promise<void> {
    const reset = this.#reset(seed);
    const observed = await this.#pool.run((session) => session.reset(reset));
    if (observed.done) {
      throw new UserError(
        `environment.url ${this.#settings.url}: the episode of seed ${seed} is over before its first step; set ` +
          'environment.tasks and resetWith to tasks that the server has',
      );
    }
    this.#shown.set(seed, textOf(observed, this.#translation));
  }

  #reset(seed: number): Record<string, unknown> {
    return { ...this.#settings.resetWith, seed };
  }

  #start(seed: number): Start {
    const shown = this.#shown.get(seed);
    if (shown === undefined) throw new Error(`openenv: prepare() has not been called for seed ${seed}`);
    return { reset: this.#reset(seed), shown };
  }

  #stored(feedback: string): string {
    return storedFeedback(this.#codec, feedback, this.limits);
  }

  /** Where the answer is the action, every action has the same members: if none was ever taken, the settings are wrong. */
  #requireAccepted(reason: string): void {
    const { actionField, actionWith, url } = this.#settings;
    if (this.#accepted || actionField === null) return;
    const sent = JSON.stringify({ ...actionWith, [actionField]: 'the answer' });
    throw new UsageError(
      `environment.url ${url}: the server takes no actions like ${sent} (${reason}); set environment.actionField and actionWith`,
    );
  }
}

const unjudged = (reason: string): TextVerdict => ({ status: 'infrastructure_error', reason });

const REPEATS = 'episodes can only be gone on with where the same seed and actions always have the same results';

const ADVICE: Readonly<Record<ClientError['kind'], string>> = {
  unreachable: 'start the server, or set environment.url to where it is',
  capacity: 'give the server more sessions, or wait until others have ended theirs',
  closed: 'see what the server says about it, then resume the run',
  timeout: 'see whether the server hangs, or raise environment.seconds',
  garbage: 'set environment.url to a server that speaks the protocol of OpenEnv',
  refused: 'see whether the server takes the seed (environment.tasks) and environment.resetWith',
};

export const openenv: EnvironmentType<Settings> & { readonly settings: typeof settings; readonly words: true } = {
  settings,
  words: true,
  create: (given, codec) => new TextEnvironment(new OpenEnvTasks(given, codec), codec) as Environment,
};
