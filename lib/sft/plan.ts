// Which examples go into which step: whole epochs in random order, cut where a step's budget of tokens is full. Sequences are
// packed back to back by the engine, never padded, so a budget of tokens is a budget of work.
import { Random } from '../rng.ts';
import type { Example } from './example.ts';

export interface PlanSettings {
  readonly epochs: number;
  /** Tokens of a step, prompts included; an example that is longer makes a step of its own. */
  readonly batchTokens: number;
  readonly seed: number;
}

/** Indices of the examples of every step. */
export function planSteps(examples: readonly Example[], { epochs, batchTokens, seed }: PlanSettings): number[][] {
  const steps: number[][] = [];
  let step: number[] = [];
  let tokens = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const i of shuffled(examples.length, new Random(seed, 'sft', epoch))) {
      const { length } = examples[i]!.tokens;
      if (step.length > 0 && tokens + length > batchTokens) {
        steps.push(step);
        [step, tokens] = [[], 0];
      }
      step.push(i);
      tokens += length;
    }
  }
  if (step.length > 0) steps.push(step);
  return steps;
}

/** The last `share` of a random order is held out; at least one example, if any share is. */
export function holdOut<T>(all: readonly T[], share: number, seed: number): { train: T[]; heldOut: T[] } {
  const order = shuffled(all.length, new Random(seed, 'held-out'));
  const count = share === 0 ? 0 : Math.max(1, Math.round(share * all.length));
  const held = new Set(order.slice(all.length - count));
  return { train: all.filter((_, i) => !held.has(i)), heldOut: all.filter((_, i) => held.has(i)) };
}

function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
