// codebreak: guess a hidden code of L symbols out of K. The request shows a noisy hint; after an attempt every position
// is marked hit, too low or too high. One answer can hardly beat the hint, revising with feedback can reach all hits.
import { z } from 'zod';
import type { Random } from '../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { Demonstration, Environment, EnvironmentType } from './environment.ts';
import { demonstrate, drawInSplit, FIRST, FixedPrompt, MASK, NAMES } from './fixed-prompt.ts';

/** Token of symbol 0; the feedback marks follow the symbols. */
const SYMBOL = FIRST;
const MARK = { hit: 0, low: 1, high: 2 } as const;

const settings = z
  .strictObject({
    name: z.literal('codebreak'),
    length: z.int().min(1).max(64).default(6).describe('Symbols of the code (L)'),
    symbols: z.int().min(2).max(1000).default(10).describe('Different symbols (K)'),
    hint: z
      .number()
      .min(0)
      .max(1)
      .default(0.4)
      .describe('Probability that a symbol of the hint is copied from the code'),
  })
  .refine((s) => s.symbols ** s.length >= 100, {
    error: 'symbols ** length must be at least 100, or training and held-out codes cannot be kept apart',
  });

type Settings = z.infer<typeof settings>;

interface Code {
  readonly code: readonly number[];
  readonly hint: readonly number[];
}

class Codebreak extends FixedPrompt implements Environment<Code> {
  readonly name = 'codebreak';
  readonly levels: Environment['levels'];
  readonly #length: number;
  readonly #symbols: number;
  readonly #hint: number;

  constructor({ length, symbols, hint }: Settings) {
    super({ vocabulary: SYMBOL + symbols + 3, request: length, answer: length, feedback: length });
    this.#length = length;
    this.#symbols = symbols;
    this.#hint = hint;
    this.levels = { chance: 1 / symbols, 'copy of the hint': hint + (1 - hint) / symbols };
  }

  task(number: number, split: Split): Code {
    const draw = (random: Random): Code => {
      const code = this.#randomSymbols(random);
      return { code, hint: code.map((symbol) => (random.chance(this.#hint) ? symbol : random.below(this.#symbols))) };
    };
    return drawInSplit(this.name, number, split, draw, ({ code }) => code);
  }

  key({ code }: Code): string {
    return code.join(' ');
  }

  prompt({ hint }: Code, mode: Mode, previous: Attempt | null): Int32Array {
    return this.layOut(mode, this.#tokens(hint), previous);
  }

  judge({ code }: Code, answer: Int32Array): Verdict {
    const feedback = new Int32Array(this.#length).fill(MASK);
    let hits = 0;
    let valid = answer.length === this.#length;
    for (let i = 0; i < this.#length; i++) {
      const symbol = (answer[i] ?? 0) - SYMBOL;
      if (symbol < 0 || symbol >= this.#symbols) {
        valid = false;
        continue; // the mark stays masked
      }
      const mark = symbol === code[i] ? MARK.hit : symbol < code[i]! ? MARK.low : MARK.high;
      feedback[i] = SYMBOL + this.#symbols + mark;
      if (mark === MARK.hit) hits++;
    }
    return { status: valid ? 'valid' : 'invalid', quality: valid ? hits / this.#length : 0, feedback };
  }

  reference({ code }: Code): Int32Array {
    return this.#tokens(code);
  }

  /**
   * First answers copy the hint half of the time and guess otherwise; a revision mostly keeps hits and moves misses to
   * somewhere on the right side.
   */
  demonstration(random: Random): Demonstration {
    const instance = this.task(random.uint32(), 'train');
    const answer = (): Int32Array => this.#tokens(this.#firstAnswer(instance, random));
    return demonstrate(
      {
        prompt: (mode, previous) => this.prompt(instance, mode, previous),
        judge: (tokens) => this.judge(instance, tokens),
        answer,
        draft: () => (random.chance(0.5) ? answer() : this.#tokens(this.#partlyRight(instance, random))),
        revise: ({ tokens }) =>
          tokens.map((token, i) => SYMBOL + this.#revise(token - SYMBOL, instance.code[i]!, random)),
      },
      random,
    );
  }

  show(tokens: Int32Array): string {
    const marks = ['=', '<', '>'];
    return Array.from(tokens, (token) => {
      if (token < SYMBOL) return NAMES[token] ?? '?';
      if (token < SYMBOL + this.#symbols) return String(token - SYMBOL);
      return marks[token - SYMBOL - this.#symbols] ?? '?';
    }).join(' ');
  }

  #randomSymbols(random: Random): number[] {
    return Array.from({ length: this.#length }, () => random.below(this.#symbols));
  }

  #tokens(symbols: readonly number[]): Int32Array {
    return Int32Array.from(symbols, (symbol) => SYMBOL + symbol);
  }

  #firstAnswer({ hint }: Code, random: Random): number[] {
    return hint.map((symbol) => (random.chance(0.5) ? symbol : random.below(this.#symbols)));
  }

  /** An attempt as late revisions see them: any number of hits. */
  #partlyRight({ code }: Code, random: Random): number[] {
    const share = random.uniform();
    return code.map((symbol) => (random.chance(share) ? symbol : random.below(this.#symbols)));
  }

  #revise(symbol: number, target: number, random: Random): number {
    const slip = random.below(this.#symbols);
    if (symbol === target) return random.chance(0.85) ? symbol : slip;
    if (!random.chance(0.7)) return slip;
    return symbol < target ? symbol + 1 + random.below(this.#symbols - 1 - symbol) : random.below(symbol);
  }
}

export const codebreak: EnvironmentType<Settings> & { readonly settings: typeof settings } = {
  settings,
  create: (difficulty) => new Codebreak(difficulty) as Environment,
};
