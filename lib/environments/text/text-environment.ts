// Environments in words: requests and answers are text, a codec turns them into the tokens of whatever model is trained.
import { UserError } from '../../errors.ts';
import type { SelfIterationReward } from '../../rewards/reward.ts';
import type { Random } from '../../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../../types.ts';
import type { AttemptLimits, Demonstration, Environment } from '../environment.ts';
import type { Message } from '../../text/messages.ts';
import type { TextCodec } from './codec.ts';
import type { TextLimits } from './limits.ts';

/** An answer with what was said about it. */
export interface TextAttempt {
  readonly text: string;
  /** Empty where there is none. */
  readonly feedback: string;
  readonly quality: number;
}

/** What a verifier says, in words. */
export type TextVerdict =
  | {
      readonly status: 'valid' | 'invalid';
      readonly quality: number;
      readonly feedback: string;
      readonly shown?: number;
      readonly unfinished?: boolean;
    }
  | { readonly status: 'infrastructure_error'; readonly reason: string };

export interface TextDemonstration<Instance> {
  readonly instance: Instance;
  readonly mode: Mode;
  readonly previous: TextAttempt | null;
  /** Answers of earlier turns. Default: none. */
  readonly history?: readonly TextAttempt[];
  readonly answer: string;
}

/** A family of tasks in words; the same contract as `Environment`. */
export interface TextTasks<Instance> {
  readonly name: string;
  readonly turns: number;
  readonly limits: TextLimits;
  readonly selfIterationReward: SelfIterationReward;
  readonly levels: Environment['levels'];
  readonly episodeQuality?: Environment['episodeQuality'];
  readonly standing?: Environment['standing'];
  readonly sizes?: Environment['sizes'];
  readonly judging?: Environment['judging'];
  readonly references?: Environment['references'];
  /** Texts that end an answer. `judge` sees the answer up to and with the first one. */
  readonly stops?: readonly string[];
  task(number: number, split: Split): Instance;
  key(instance: Instance): string;
  prepare?(instances: readonly Instance[]): Promise<void>;
  part?(instance: Instance): string;
  /** JSON schemas of functions for the chat template. Default: none. */
  tools?(instance: Instance): readonly unknown[] | null;
  /** The conversation that asks for an answer; `history` are the answers that stand from earlier turns. */
  messages(instance: Instance, mode: Mode, previous: TextAttempt | null, history: readonly TextAttempt[]): Message[];
  ended?(instance: Instance, history: readonly TextAttempt[]): boolean;
  judge(instance: Instance, answer: string, history: readonly TextAttempt[]): TextVerdict | Promise<TextVerdict>;
  reference(instance: Instance, history: readonly TextAttempt[]): string;
  demonstration(random: Random): TextDemonstration<Instance> | null;
}

/**
 * The message of a self-iteration step: what is asked, the request, the current response and what was said about it
 * (arXiv 2509.04575, section 3). A step sees no older responses.
 */
export function selfIterationMessage(mode: 'improve' | 'diverge', request: string, previous: TextAttempt): string {
  const ask =
    mode === 'improve'
      ? 'Here are a request and the current response to it. Write a better response to the request.'
      : 'Here are a request and the current response to it. Answer the request in a way that differs significantly: first ' +
        'sum up the approach of the current response briefly, then describe a different approach, then give the new response.';
  const feedback = previous.feedback === '' ? '' : `\n\n# Feedback\n${previous.feedback}`;
  return `${ask}\n\n# Request\n${request}\n\n# Current response\n${previous.text}${feedback}`;
}

/** Tokens that texts may take more beside one another than each for itself, headings included. */
const SLACK = 64;

const NO_ANSWER: TextAttempt = { text: '', feedback: '', quality: 0 };

interface BasePrompt<Instance> {
  readonly instance: Instance;
  readonly history: readonly Attempt[];
  readonly tokens: Int32Array;
}

const isSame = (a: readonly Attempt[], b: readonly Attempt[]): boolean =>
  a.length === b.length && a.every((attempt, i) => attempt === b[i]);

const bytesOf = (messages: readonly Message[]): number =>
  messages.reduce((sum, { content }) => sum + Buffer.byteLength(String(content ?? '')), 0);

const storedTokens = (codec: TextCodec, feedback: string, { feedbackTokens }: TextLimits): Int32Array =>
  codec.encode(feedback).slice(0, feedbackTokens);

/** Feedback as a history has it: it has been tokens of the model, and no more than there may be. */
export const storedFeedback = (codec: TextCodec, feedback: string, limits: TextLimits): string =>
  codec.decode(storedTokens(codec, feedback, limits));

/** Tasks in words as an environment of tokens. */
export class TextEnvironment<Instance> implements Environment<Instance> {
  readonly name: string;
  readonly turns: number;
  readonly vocabularySize: number;
  readonly promptTokens: number;
  readonly attempt: AttemptLimits;
  readonly selfIterationReward: SelfIterationReward;
  readonly levels: Environment['levels'];
  readonly episodeQuality: Environment['episodeQuality'];
  readonly standing: Environment['standing'];
  readonly sizes: Environment['sizes'];
  readonly judging: Environment['judging'];
  readonly references: Environment['references'];
  readonly ended: Environment<Instance>['ended'];
  readonly prepare: Environment<Instance>['prepare'];
  readonly part: Environment<Instance>['part'];
  readonly #stops: readonly string[];
  readonly #tasks: TextTasks<Instance>;
  readonly #codec: TextCodec;
  /** By the last answer before them. */
  readonly #basePrompts = new WeakMap<Attempt, BasePrompt<Instance>>();

  constructor(tasks: TextTasks<Instance>, codec: TextCodec) {
    this.#tasks = tasks;
    this.#codec = codec;
    this.name = tasks.name;
    this.turns = tasks.turns;
    this.vocabularySize = codec.vocabularySize;
    this.promptTokens = tasks.limits.promptTokens;
    this.#stops = tasks.stops ?? [];
    this.attempt = {
      maxTokens: tasks.limits.answerTokens,
      stopTokens: codec.stopTokens,
      stopSequences: this.#stops.flatMap((stop) => codec.endings(stop)),
    };
    this.selfIterationReward = tasks.selfIterationReward;
    this.levels = tasks.levels;
    this.episodeQuality = tasks.episodeQuality;
    this.standing = tasks.standing;
    this.sizes = tasks.sizes;
    this.judging = tasks.judging;
    this.references = tasks.references;
    this.prepare = tasks.prepare && ((instances) => tasks.prepare!(instances));
    const { part } = tasks;
    this.part = part && ((instance) => part.call(tasks, instance));
    this.ended =
      tasks.turns === 1
        ? undefined
        : (instance, history) => {
            return (tasks.ended?.(instance, this.#past(history)) ?? false) || !this.#hasRoom(instance, history);
          };
  }

  task(number: number, split: Split): Instance {
    return this.#tasks.task(number, split);
  }

  key(instance: Instance): string {
    return this.#tasks.key(instance);
  }

  prompt(instance: Instance, mode: Mode, previous: Attempt | null, history: readonly Attempt[]): Int32Array {
    if (mode === 'base') return this.#basePrompt(instance, history);
    return this.#prompt(instance, mode, previous === null ? null : this.#read(previous), this.#past(history));
  }

  /** The conversation of a prompt, in words. */
  messages(instance: Instance, mode: Mode, previous: Attempt | null, history: readonly Attempt[]): Message[] {
    return this.#tasks.messages(instance, mode, previous === null ? null : this.#read(previous), this.#past(history));
  }

  async judge(instance: Instance, answer: Int32Array, history: readonly Attempt[]): Promise<Verdict> {
    const verdict = await this.#tasks.judge(instance, this.#text(answer), this.#past(history));
    if (verdict.status === 'infrastructure_error') return verdict;
    return { ...verdict, feedback: storedTokens(this.#codec, verdict.feedback, this.#tasks.limits) };
  }

  reference(instance: Instance, history: readonly Attempt[]): Int32Array {
    return this.#codec.answer(this.#tasks.reference(instance, this.#past(history)));
  }

  demonstration(random: Random): Demonstration | null {
    const shown = this.#tasks.demonstration(random);
    if (shown === null) return null;
    const { instance, mode, previous, history = [], answer } = shown;
    return { prompt: this.#prompt(instance, mode, previous, history), answer: this.#codec.answer(answer) };
  }

  show(tokens: Int32Array): string {
    return this.#codec.decode(tokens);
  }

  #past(history: readonly Attempt[]): TextAttempt[] {
    return history.map((attempt) => this.#read(attempt));
  }

  /** What lies behind a stop came with the same token, or the stop was spelled with other tokens than were looked for. */
  #text(tokens: Int32Array): string {
    const text = this.#codec.decode(tokens);
    const ends = this.#stops.flatMap((stop) => {
      const at = text.indexOf(stop);
      return at < 0 ? [] : [at + stop.length];
    });
    return ends.length === 0 ? text : text.slice(0, Math.min(...ends));
  }

  #read({ tokens, feedback, quality }: Attempt): TextAttempt {
    const limit = this.attempt.maxTokens;
    return { text: this.#shortened(this.#text(tokens), limit), feedback: this.#codec.decode(feedback), quality };
  }

  /** Bytes that are no text decode to a character which may take more tokens than they had. */
  #shortened(text: string, limit: number): string {
    let short = text;
    while (short.includes('\ufffd')) {
      const { length } = this.#codec.encode(short);
      if (length <= limit) break;
      short = short.slice(0, Math.floor((short.length * limit) / length));
    }
    return short;
  }

  /** Whether one more answer, and a revision of it, can be asked for. An episode that has grown too long is over. */
  #hasRoom(instance: Instance, history: readonly Attempt[]): boolean {
    const { answerTokens, feedbackTokens = 0, promptTokens } = this.#tasks.limits;
    const past = this.#past(history);
    const base = this.#basePrompt(instance, history).length;
    // What the longest request for a revision says more: no text has more tokens than bytes, and encoding it would be work done twice.
    const [plain, revision] = (['base', 'diverge'] as const).map((mode) =>
      bytesOf(this.#tasks.messages(instance, mode, mode === 'base' ? null : NO_ANSWER, past)),
    );
    return base + revision! - plain! + answerTokens + feedbackTokens + SLACK <= promptTokens;
  }

  /** Whether there is room is asked just before the prompt is: it is encoded once for both. */
  #basePrompt(instance: Instance, history: readonly Attempt[]): Int32Array {
    const last = history.at(-1);
    const known = last && this.#basePrompts.get(last);
    if (known?.instance === instance && isSame(known.history, history)) return known.tokens;
    const tokens = this.#encode(instance, 'base', null, this.#past(history));
    if (last !== undefined) this.#basePrompts.set(last, { instance, history: [...history], tokens });
    return this.#checked(tokens);
  }

  #encode(instance: Instance, mode: Mode, previous: TextAttempt | null, history: readonly TextAttempt[]): Int32Array {
    const messages = this.#tasks.messages(instance, mode, previous, history);
    return this.#codec.prompt(messages, this.#tasks.tools?.(instance) ?? null);
  }

  #prompt(instance: Instance, mode: Mode, previous: TextAttempt | null, history: readonly TextAttempt[]): Int32Array {
    return this.#checked(this.#encode(instance, mode, previous, history));
  }

  #checked(tokens: Int32Array): Int32Array {
    if (tokens.length > this.promptTokens) {
      throw new UserError(
        `environment ${this.name}: a prompt has ${tokens.length} tokens with this model's tokenizer, more than the ` +
          `${this.promptTokens} allowed; raise environment.promptTokens`,
      );
    }
    return tokens;
  }
}
