// tune: find the hidden best setting of L knobs with K levels each. The request shows a noisy prior; after an attempt a noisy
// measurement says for every knob whether it is right, too low or too high. How much a knob weighs stays hidden.
import { z } from 'zod';
import { Random } from '../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { Demonstration, Environment, EnvironmentType } from './environment.ts';
import { demonstrate, drawInSplit, estimate, FIRST, FixedPrompt, MASK, NAMES } from './fixed-prompt.ts';

/** Token of level 0; the feedback marks follow the levels. */
const LEVEL = FIRST;
const MARKS = ['=', '<', '>'];
const MAX_WEIGHT = 3;

const settings = z
  .strictObject({
    name: z.literal('tune'),
    knobs: z.int().min(1).max(64).default(6).describe('Knobs (L)'),
    levels: z.int().min(2).max(1000).default(8).describe('Levels of a knob (K)'),
    spread: z.int().min(0).default(3).describe('How far the prior may be off, in levels'),
    noise: z.number().min(0).max(1).default(0.1).describe('Probability that a mark of the feedback is wrong'),
  })
  .refine((s) => s.levels ** s.knobs >= 100, {
    error: 'levels ** knobs must be at least 100, or training and held-out optima cannot be kept apart',
  });

type Settings = z.infer<typeof settings>;
type Knobs = readonly number[];

interface Experiment {
  readonly optimum: Knobs;
  readonly weights: readonly number[];
  readonly prior: Knobs;
}

class Tune extends FixedPrompt implements Environment<Experiment> {
  readonly name = 'tune';
  readonly levels: Environment['levels'];
  readonly #settings: Settings;

  constructor(difficulty: Settings) {
    const { knobs, levels } = difficulty;
    super({ vocabulary: LEVEL + levels + MARKS.length, request: knobs, answer: knobs, feedback: knobs });
    this.#settings = difficulty;
    this.levels = {
      chance: estimate((number, random) => this.#quality(this.task(number, 'train'), this.#randomKnobs(random))),
      'copy of the prior': estimate((number) => {
        const experiment = this.task(number, 'train');
        return this.#quality(experiment, experiment.prior);
      }),
    };
  }

  task(number: number, split: Split): Experiment {
    const { levels, spread } = this.#settings;
    const draw = (random: Random): Experiment => {
      const optimum = this.#randomKnobs(random);
      const weights = optimum.map(() => 1 + random.below(MAX_WEIGHT));
      const off = (): number => random.below(2 * spread + 1) - spread;
      return { optimum, weights, prior: optimum.map((level) => Math.min(levels - 1, Math.max(0, level + off()))) };
    };
    return drawInSplit(this.name, number, split, draw, ({ optimum }) => optimum);
  }

  key({ optimum, weights }: Experiment): string {
    return `${optimum.join(' ')} weighted ${weights.join(' ')}`;
  }

  prompt({ prior }: Experiment, mode: Mode, previous: Attempt | null): Int32Array {
    return this.layOut(mode, this.#tokens(prior), previous);
  }

  /** The measurement's errors are drawn from the answer itself: a verdict repeats, another answer has other errors. */
  judge(experiment: Experiment, answer: Int32Array): Verdict {
    const { knobs, levels, noise } = this.#settings;
    const chosen = Array.from({ length: knobs }, (_, i) => (answer[i] ?? MASK) - LEVEL);
    const isLevel = chosen.map((level) => level >= 0 && level < levels);
    const errors = new Random(0, 'tune', 'measurement', ...experiment.optimum, ...chosen);
    const feedback = Int32Array.from(chosen, (level, i) => {
      const error = errors.chance(noise) ? 1 + errors.below(2) : 0;
      if (!isLevel[i]) return MASK;
      const target = experiment.optimum[i]!;
      const mark = level === target ? 0 : level < target ? 1 : 2;
      return LEVEL + levels + ((mark + error) % MARKS.length);
    });
    const valid = answer.length === knobs && !isLevel.includes(false);
    return { status: valid ? 'valid' : 'invalid', quality: valid ? this.#quality(experiment, chosen) : 0, feedback };
  }

  reference({ optimum }: Experiment): Int32Array {
    return this.#tokens(optimum);
  }

  /** First answers copy the prior half of the time; revisions mostly follow the marks, by any distance. */
  demonstration(random: Random): Demonstration {
    const experiment = this.task(random.uint32(), 'train');
    const { levels } = this.#settings;
    const guess = (): number => random.below(levels);
    const answer = (): Int32Array =>
      this.#tokens(experiment.prior.map((level) => (random.chance(0.5) ? level : guess())));
    const partlyRight = (): Int32Array => {
      const share = random.uniform();
      return this.#tokens(experiment.optimum.map((level) => (random.chance(share) ? level : guess())));
    };
    const revise = (level: number, mark: number): number => {
      if (mark === 0) return random.chance(0.85) ? level : guess();
      const room = mark === 1 ? levels - 1 - level : level;
      if (room === 0 || random.chance(0.3)) return guess();
      return mark === 1 ? level + 1 + random.below(room) : random.below(room);
    };
    return demonstrate(
      {
        prompt: (mode, previous) => this.prompt(experiment, mode, previous),
        judge: (tokens) => this.judge(experiment, tokens),
        answer,
        draft: () => (random.chance(0.5) ? answer() : partlyRight()),
        revise: ({ tokens, feedback }) =>
          tokens.map((token, i) => LEVEL + revise(token - LEVEL, feedback[i]! - LEVEL - levels)),
      },
      random,
    );
  }

  show(tokens: Int32Array): string {
    return Array.from(tokens, (token) => {
      if (token < LEVEL) return NAMES[token] ?? '?';
      return token < LEVEL + this.#settings.levels
        ? String(token - LEVEL)
        : (MARKS[token - LEVEL - this.#settings.levels] ?? '?');
    }).join(' ');
  }

  #randomKnobs(random: Random): Knobs {
    return Array.from({ length: this.#settings.knobs }, () => random.below(this.#settings.levels));
  }

  #tokens(knobs: Knobs): Int32Array {
    return Int32Array.from(knobs, (level) => LEVEL + level);
  }

  /** The square of how much closer it is than the farthest setting: the last steps count most. */
  #quality({ optimum, weights }: Experiment, chosen: Knobs): number {
    const last = this.#settings.levels - 1;
    let distance = 0;
    let farthest = 0;
    for (const [i, target] of optimum.entries()) {
      distance += weights[i]! * Math.abs(chosen[i]! - target);
      farthest += weights[i]! * Math.max(target, last - target);
    }
    return (1 - distance / farthest) ** 2;
  }
}

export const tune: EnvironmentType<Settings> & { readonly settings: typeof settings } = {
  settings,
  create: (difficulty) => new Tune(difficulty) as Environment,
};
