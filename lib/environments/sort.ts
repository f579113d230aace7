// sort: put n distinct symbols in ascending order. Nothing is hidden and nothing is fed back, so all that a revision has is
// the answer before it: a step that swaps a few wrong neighbours, repeated, sorts.
import { z } from 'zod';
import type { Random } from '../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { Demonstration, Environment, EnvironmentType } from './environment.ts';
import { demonstrate, drawInSplit, estimate, FIRST, FixedPrompt, NAMES } from './fixed-prompt.ts';

const SYMBOL = FIRST;

const settings = z
  .strictObject({
    name: z.literal('sort'),
    length: z.int().min(5).max(64).default(10).describe('Symbols to sort (n)'),
    symbols: z.int().min(5).max(1000).default(16).describe('Different symbols to choose from (K)'),
  })
  .refine((s) => s.symbols >= s.length, { error: 'symbols must be at least length: no symbol comes twice' });

type Settings = z.infer<typeof settings>;
type Symbols = readonly number[];

class Sort extends FixedPrompt implements Environment<Symbols> {
  readonly name = 'sort';
  readonly levels: Environment['levels'];
  readonly #length: number;
  readonly #symbols: number;

  constructor({ length, symbols }: Settings) {
    super({ vocabulary: SYMBOL + symbols, request: length, answer: length, feedback: 0 });
    this.#length = length;
    this.#symbols = symbols;
    this.levels = { chance: estimate((number) => this.#quality(this.task(number, 'train'))) };
  }

  task(number: number, split: Split): Symbols {
    const all = Array.from({ length: this.#symbols }, (_, symbol) => symbol);
    const draw = (random: Random): Symbols => random.shuffled(all).slice(0, this.#length);
    return drawInSplit(this.name, number, split, draw, (symbols) => symbols);
  }

  key(symbols: Symbols): string {
    return symbols.join(' ');
  }

  /** An invalid answer is masked: what is not there cannot be sorted, and the request has all that is. */
  prompt(symbols: Symbols, mode: Mode, previous: Attempt | null): Int32Array {
    const shown = previous !== null && isOrderOf(symbols, previous.tokens) ? previous : null;
    return this.layOut(mode, this.#tokens(symbols), shown);
  }

  judge(symbols: Symbols, answer: Int32Array): Verdict {
    const valid = isOrderOf(symbols, answer);
    const quality = valid ? this.#quality(Array.from(answer, (token) => token - SYMBOL)) : 0;
    return { status: valid ? 'valid' : 'invalid', quality, feedback: new Int32Array(0) };
  }

  reference(symbols: Symbols): Int32Array {
    return this.#tokens(ascending(symbols));
  }

  /** The teacher swaps about half of the wrong neighbours, now and then right ones too. */
  demonstration(random: Random): Demonstration {
    const symbols = this.task(random.uint32(), 'train');
    return demonstrate(
      {
        prompt: (mode, previous) => this.prompt(symbols, mode, previous),
        judge: (tokens) => this.judge(symbols, tokens),
        answer: () => this.#tokens(swapNeighbours(symbols, random)),
        draft: () => {
          if (random.chance(0.1)) return new Int32Array(0);
          let order: Symbols = random.shuffled(symbols);
          for (let pass = random.below(this.#length); pass > 0; pass--) order = swapNeighbours(order, random);
          return this.#tokens(order);
        },
        revise: ({ tokens }) => {
          if (!isOrderOf(symbols, tokens)) return this.#tokens(swapNeighbours(symbols, random));
          return Int32Array.from(swapNeighbours(Array.from(tokens), random));
        },
      },
      random,
    );
  }

  show(tokens: Int32Array): string {
    return Array.from(tokens, (token) => (token < SYMBOL ? (NAMES[token] ?? '?') : String(token - SYMBOL))).join(' ');
  }

  #tokens(symbols: Symbols): Int32Array {
    return Int32Array.from(symbols, (symbol) => SYMBOL + symbol);
  }

  /** 1 for ascending order; 0 from half of all inversions on, which is what any order has on average. */
  #quality(order: Symbols): number {
    let inversions = 0;
    for (let i = 0; i < order.length; i++) for (let j = 0; j < i; j++) if (order[j]! > order[i]!) inversions++;
    return Math.max(0, 1 - (4 * inversions) / (order.length * (order.length - 1)));
  }
}

const isOrderOf = (symbols: Symbols, tokens: Int32Array): boolean =>
  tokens.toSorted().join() === ascending(symbols.map((symbol) => SYMBOL + symbol)).join();

const ascending = (symbols: Symbols): Symbols => [...symbols].sort((a, b) => a - b);

/** A clumsy pass over neighbours from left to right; what was swapped is not touched again. */
function swapNeighbours(symbols: Symbols, random: Random): Symbols {
  const order = [...symbols];
  for (let i = 0; i + 1 < order.length; i++) {
    if (!random.chance(order[i]! > order[i + 1]! ? 0.5 : 0.02)) continue;
    [order[i], order[i + 1]] = [order[i + 1]!, order[i]!];
    i++;
  }
  return order;
}

export const sort: EnvironmentType<Settings> & { readonly settings: typeof settings } = {
  settings,
  create: (difficulty) => new Sort(difficulty) as Environment,
};
