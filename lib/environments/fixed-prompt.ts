// What environments share whose prompts all have one length: a token for the mode, the request, the previous answer, its
// feedback, a separator. Position i of an answer then always finds its part of the prompt equally far back.
import { Random } from '../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { Demonstration, Environment } from './environment.ts';

/** Token 0 is padding. */
export const SEPARATOR = 1;
export const MODE: Readonly<Record<Mode, number>> = { base: 2, improve: 3, diverge: 4 };
/** Stands where there is nothing to show. */
export const MASK = 5;
/** The first token that an environment is free to use. */
export const FIRST = 6;
/** Names of the tokens below FIRST. */
export const NAMES = ['pad', '|', 'answer', 'improve', 'diverge', '_'];

/** One instance in so many is held out. */
const HELD_OUT_SHARE = 8;

/** In tokens. */
interface Layout {
  readonly vocabulary: number;
  readonly request: number;
  readonly answer: number;
  readonly feedback: number;
  readonly turns?: number;
}

/** What follows from such a layout. Answers have one length too: nothing but their number of tokens ends them. */
export abstract class FixedPrompt {
  readonly vocabularySize: number;
  readonly promptTokens: number;
  readonly turns: number;
  readonly attempt: Environment['attempt'];
  readonly selfIterationReward = 'plain';
  readonly #layout: Layout;

  constructor(layout: Layout) {
    this.#layout = layout;
    this.vocabularySize = layout.vocabulary;
    this.promptTokens = layout.request + layout.answer + layout.feedback + 2;
    this.turns = layout.turns ?? 1;
    this.attempt = { maxTokens: layout.answer, stopTokens: [], stopSequences: [] };
  }

  /** A prompt; what the previous answer has too much is cut off, what it lacks is masked. */
  protected layOut(mode: Mode, request: ArrayLike<number>, previous: Attempt | null): Int32Array {
    const { answer, feedback } = this.#layout;
    const tokens = new Int32Array(this.promptTokens).fill(MASK);
    tokens[0] = MODE[mode];
    tokens.set(request, 1);
    if (previous !== null) {
      tokens.set(previous.tokens.subarray(0, answer), 1 + request.length);
      tokens.set(previous.feedback.subarray(0, feedback), 1 + request.length + answer);
    }
    tokens[tokens.length - 1] = SEPARATOR;
    return tokens;
  }
}

/** Draws until the content belongs to the split. Its hash decides that, so the two splits cannot meet. */
export function drawInSplit<Instance>(
  name: string,
  number: number,
  split: Split,
  draw: (random: Random) => Instance,
  content: (instance: Instance) => readonly number[],
): Instance {
  const random = new Random(number, name, split);
  for (;;) {
    const instance = draw(random);
    const heldOut = new Random(0, name, ...content(instance)).uint32() % HELD_OUT_SHARE === 0;
    if (heldOut === (split === 'held_out')) return instance;
  }
}

/** What a clumsy teacher does with one request. */
export interface Teacher {
  /** A request, perhaps with the previous answer to it. */
  prompt(mode: Mode, previous: Attempt | null): Int32Array;
  judge(answer: Int32Array): Verdict;
  /** A first answer. */
  answer(): Int32Array;
  /** Something to improve. Covers good answers too, or late revisions see what the warm-up never showed. */
  draft(): Int32Array;
  revise(previous: Attempt): Int32Array;
}

const same = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((token, i) => token === b[i]);
const TRIES = 20;

/** Two first answers to two revisions to one divergence: a first answer other than the previous one. */
export function demonstrate(teacher: Teacher, random: Random): Demonstration {
  const kind = random.below(5);
  if (kind < 2) return { prompt: teacher.prompt('base', null), answer: teacher.answer() };
  const previous = judged(teacher.draft(), (tokens) => teacher.judge(tokens));
  if (kind < 4) return { prompt: teacher.prompt('improve', previous), answer: teacher.revise(previous) };
  let answer = teacher.answer();
  for (let i = 0; i < TRIES && same(answer, previous.tokens); i++) answer = teacher.answer();
  return { prompt: teacher.prompt('diverge', previous), answer };
}

/** An answer with its verdict, where the verifier cannot fail. */
export function judged(tokens: Int32Array, judge: (tokens: Int32Array) => Verdict): Attempt {
  const verdict = judge(tokens);
  if (verdict.status === 'infrastructure_error') throw new Error(verdict.reason);
  return { tokens, feedback: verdict.feedback, quality: verdict.quality };
}

/** Mean of a level over a fixed sample of training instances. */
export function estimate(quality: (number: number, random: Random) => number): number {
  const random = new Random(0, 'levels');
  const count = 1000;
  let sum = 0;
  for (let number = 0; number < count; number++) sum += quality(number, random);
  return sum / count;
}
