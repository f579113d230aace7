// The ablation ladder of the method as data: each rung is the one before it and one thing more. No code asks for a
// strategy by name.

export interface Strategy {
  /** Selection: start points are kept in the task buffer and replayed by score. */
  readonly buffered: boolean;
  /** Attempts become start points of self-iteration steps. */
  readonly selfIteration: boolean;
  /** A self-iteration step becomes a divergence step with probability `curriculum.diverge`. */
  readonly divergence: boolean;
  /** Advantages are scaled by how far an attempt lies from the others of its group. */
  readonly diversityBonus: boolean;
}

const grpo: Strategy = { buffered: false, selfIteration: false, divergence: false, diversityBonus: false };
const curriculum: Strategy = { ...grpo, buffered: true };
const improve: Strategy = { ...curriculum, selfIteration: true };
const diverge: Strategy = { ...improve, divergence: true };
const exit: Strategy = { ...diverge, diversityBonus: true };

export const STRATEGIES = { grpo, curriculum, improve, diverge, exit } as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof STRATEGIES;
