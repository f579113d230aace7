// What an environment offers. docs/add-an-environment.md walks through writing one; test/conformance checks it.
import type { z } from 'zod';
import type { Random } from '../rng.ts';
import type { SelfIterationReward } from '../rewards/reward.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { TextCodec } from './text/codec.ts';

/** A prompt and an answer worth imitating, for the supervised warm-up. */
export interface Demonstration {
  readonly prompt: Int32Array;
  readonly answer: Int32Array;
}

/** Of an episode of several turns. */
export type EpisodeQuality = 'mean' | 'last';

/** How an answer ends: after `maxTokens`, or earlier at one of the stop tokens or sequences. */
export interface AttemptLimits {
  readonly maxTokens: number;
  readonly stopTokens: readonly number[];
  readonly stopSequences: readonly (readonly number[])[];
}

/**
 * A family of tasks with one difficulty setting. `Instance` is its own business; the loop passes it around unread.
 *
 * An episode has `turns` turns. In each the policy answers a request, may improve that answer step by step, and its last
 * answer stands. `history` holds the answers that stand from the earlier turns, in order; the turn is `history.length`.
 * The quality of an episode is the mean over its turns, or that of its last answer (`episodeQuality`).
 */
export interface Environment<Instance = unknown> {
  readonly name: string;
  /** Token ids are 0 .. vocabularySize - 1. */
  readonly vocabularySize: number;
  /** Longest prompt it makes. */
  readonly promptTokens: number;
  /** Turns of an episode, at most; 1: one request, one answer. */
  readonly turns: number;
  /** Whether references are perfect, only the best that is known, or answers like any other. Default: perfect. */
  readonly references?: 'perfect' | 'best known' | 'none' | undefined;
  /** What an episode is worth: the mean over its turns, or the quality of its last answer. Default: mean. */
  readonly episodeQuality?: EpisodeQuality | undefined;
  /** Which answer stands after steps of self-iteration at inference: the last one, or the best so far. Default: last. */
  readonly standing?: 'last' | 'best' | undefined;
  /** Instances of a split, where there are not as many as numbers: those above begin again. Default: no end. */
  readonly sizes?: Readonly<Record<Split, number>> | undefined;
  /** Whether verdicts take so long that sampling should go on meanwhile. Default: they are instant. */
  readonly judging?: 'instant' | 'slow' | undefined;
  readonly attempt: AttemptLimits;
  /** What a self-iteration step is rewarded with unless the configuration says otherwise. */
  readonly selfIterationReward: SelfIterationReward;
  /** Qualities worth comparing with; `chance` is that of random symbols. */
  readonly levels: { readonly chance: number } & Readonly<Record<string, number>>;
  /** The instance of this number: always the same one; the two splits share none. */
  task(number: number, split: Split): Instance;
  /**
   * Fetches what the prompts of these instances need, where that cannot be had at once (from a server, say). Called before each
   * batch of prompts, so it remembers what it has. Throws a `UserError` that says what to do.
   */
  readonly prepare?: ((instances: readonly Instance[]) => Promise<void>) | undefined;
  /** What makes the instance what it is: equal for equal content. */
  key(instance: Instance): string;
  /** The data set or kind an instance belongs to: evaluation shows each by itself, too. Default: all are of one kind. */
  readonly part?: ((instance: Instance) => string) | undefined;
  /** Token ids of the request; self-iteration modes show the previous attempt at it and its feedback. */
  prompt(instance: Instance, mode: Mode, previous: Attempt | null, history: readonly Attempt[]): Int32Array;
  /** Whether the episode is over before its last turn, because of what the answers say. Default: it never is. */
  readonly ended?: ((instance: Instance, history: readonly Attempt[]) => boolean) | undefined;
  judge(instance: Instance, answer: Int32Array, history: readonly Attempt[]): Verdict | Promise<Verdict>;
  /** An answer of quality 1 in this turn (`episodeQuality` last: one that leads to 1 in the last turn), or the best known. */
  reference(instance: Instance, history: readonly Attempt[]): Int32Array;
  /** One example for the warm-up, drawn from training instances; null where there is nothing to imitate. */
  demonstration(random: Random): Demonstration | null;
  /** Tokens for human eyes. */
  show(tokens: Int32Array): string;
}

/** An entry of the registry: `settings` is a strict Zod object with the literal `name` and the difficulty. */
export interface EnvironmentType<Settings> {
  readonly settings: z.ZodType<Settings>;
  /** Set where the tasks are in words: `create` then gets the codec of the model that is to solve them. */
  readonly words?: true;
  create(settings: Settings, codec: TextCodec): Environment;
}
