// colour: colour the nodes of a hidden graph so that no edge joins equal colours. The request shows only a noisy copy of one
// such colouring; after an attempt every node sees which colours its neighbours have. Solved by local search, step by step.
import { z } from 'zod';
import type { Random } from '../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { Demonstration, Environment, EnvironmentType } from './environment.ts';
import { demonstrate, drawInSplit, estimate, FIRST, FixedPrompt, MASK, NAMES } from './fixed-prompt.ts';

/** Token of colour 0; behind the colours one token for every set of them. */
const COLOUR = FIRST;

/** Pairs of nodes that the planted colouring, node i of colour i mod k, keeps apart. */
const pairs = (nodes: number, colours: number): number => {
  let count = 0;
  for (let a = 0; a < nodes; a++) for (let b = 0; b < a; b++) if (a % colours !== b % colours) count++;
  return count;
};

const settings = z
  .strictObject({
    name: z.literal('colour'),
    nodes: z.int().min(6).max(64).default(9).describe('Nodes of the graph (n)'),
    colours: z.int().min(2).max(6).default(3).describe('Colours (k)'),
    edges: z.int().min(4).default(14).describe('Edges of the graph (m)'),
    hint: z
      .number()
      .min(0)
      .max(1)
      .default(0.4)
      .describe('Probability that a hint is copied from the planted colouring'),
  })
  .refine((s) => s.edges <= pairs(s.nodes, s.colours), { error: 'more edges than a colouring can keep apart' });

type Settings = z.infer<typeof settings>;
type Colours = readonly number[];

interface Graph {
  readonly edges: readonly (readonly [number, number])[];
  readonly planted: Colours;
  readonly hint: Colours;
}

class Colour extends FixedPrompt implements Environment<Graph> {
  readonly name = 'colour';
  readonly levels: Environment['levels'];
  readonly #settings: Settings;

  constructor(difficulty: Settings) {
    const { nodes, colours } = difficulty;
    super({ vocabulary: COLOUR + colours + 2 ** colours, request: nodes, answer: nodes, feedback: nodes });
    this.#settings = difficulty;
    const level = (answer: (graph: Graph, random: Random) => Colours): number =>
      estimate((number, random) => {
        const graph = this.task(number, 'train');
        return this.#quality(graph, answer(graph, random));
      });
    this.levels = {
      chance: level(({ hint }, random) => hint.map(() => random.below(colours))),
      'copy of the hint': level(({ hint }) => hint),
    };
  }

  task(number: number, split: Split): Graph {
    return drawInSplit(
      this.name,
      number,
      split,
      (random) => this.#draw(random),
      ({ edges }) => edges.flat(),
    );
  }

  key({ edges }: Graph): string {
    return edges.map((edge) => edge.join('-')).join(' ');
  }

  prompt({ hint }: Graph, mode: Mode, previous: Attempt | null): Int32Array {
    return this.layOut(mode, this.#tokens(hint), previous);
  }

  judge(graph: Graph, answer: Int32Array): Verdict {
    const { nodes, colours } = this.#settings;
    const chosen = Array.from({ length: nodes }, (_, node) => (answer[node] ?? MASK) - COLOUR);
    const isColour = chosen.map((colour) => colour >= 0 && colour < colours);
    const seen = new Int32Array(nodes); // bit c: a neighbour has colour c
    for (const [a, b] of graph.edges) {
      if (isColour[b]) seen[a]! |= 1 << chosen[b]!;
      if (isColour[a]) seen[b]! |= 1 << chosen[a]!;
    }
    const valid = answer.length === nodes && !isColour.includes(false);
    return {
      status: valid ? 'valid' : 'invalid',
      quality: valid ? this.#quality(graph, chosen) : 0,
      feedback: seen.map((set) => COLOUR + colours + set),
    };
  }

  reference({ planted }: Graph): Int32Array {
    return this.#tokens(planted);
  }

  /** Revisions mostly keep a node without conflict and give others a colour that no neighbour has, if there is one. */
  demonstration(random: Random): Demonstration {
    const graph = this.task(random.uint32(), 'train');
    const { colours } = this.#settings;
    const guess = (): number => random.below(colours);
    const answer = (): Int32Array => this.#tokens(graph.hint.map((colour) => (random.chance(0.5) ? colour : guess())));
    const partlyRight = (): Int32Array => {
      const share = random.uniform();
      return this.#tokens(graph.planted.map((colour) => (random.chance(share) ? colour : guess())));
    };
    const revise = (colour: number, seen: number): number => {
      const conflict = ((seen >> colour) & 1) === 1;
      if (!conflict) return random.chance(0.85) ? colour : guess();
      if (random.chance(0.5)) return guess();
      const free = Array.from({ length: colours }, (_, c) => c).filter((c) => ((seen >> c) & 1) === 0);
      return free.length > 0 ? random.pick(free) : guess();
    };
    return demonstrate(
      {
        prompt: (mode, previous) => this.prompt(graph, mode, previous),
        judge: (tokens) => this.judge(graph, tokens),
        answer,
        draft: () => (random.chance(0.5) ? answer() : partlyRight()),
        revise: ({ tokens, feedback }) =>
          tokens.map((token, node) => COLOUR + revise(token - COLOUR, feedback[node]! - COLOUR - colours)),
      },
      random,
    );
  }

  /** Sets of colours are shown as {02}. */
  show(tokens: Int32Array): string {
    const { colours } = this.#settings;
    return Array.from(tokens, (token) => {
      if (token < COLOUR) return NAMES[token] ?? '?';
      if (token < COLOUR + colours) return String(token - COLOUR);
      const set = token - COLOUR - colours;
      return `{${Array.from({ length: colours }, (_, c) => ((set >> c) & 1 ? c : '')).join('')}}`;
    }).join(' ');
  }

  #draw(random: Random): Graph {
    const { nodes, colours, edges, hint } = this.#settings;
    const planted = random.shuffled(Array.from({ length: nodes }, (_, node) => node % colours));
    const apart = planted.flatMap((colour, a) =>
      planted.flatMap((other, b) => (a < b && colour !== other ? [[a, b] as const] : [])),
    );
    return {
      planted,
      edges: random
        .shuffled(apart)
        .slice(0, edges)
        .sort(([a, b], [c, d]) => a - c || b - d),
      hint: planted.map((colour) => (random.chance(hint) ? colour : random.below(colours))),
    };
  }

  #tokens(colours: Colours): Int32Array {
    return Int32Array.from(colours, (colour) => COLOUR + colour);
  }

  /** 1 without conflict; 0 from as many conflicts on as random colours have on average. */
  #quality({ edges }: Graph, chosen: Colours): number {
    const conflicts = edges.filter(([a, b]) => chosen[a] === chosen[b]).length;
    return Math.max(0, 1 - (conflicts * this.#settings.colours) / edges.length);
  }
}

export const colour: EnvironmentType<Settings> & { readonly settings: typeof settings } = {
  settings,
  create: (difficulty) => new Colour(difficulty) as Environment,
};
