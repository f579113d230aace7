// The ablation ladder as data: each strategy says what it adds to plain GRPO. The fields have room for the rungs above
// `improve` (divergence steps, the diversity bonus); a rung is listed once all it needs exists.

export interface Strategy {
  /** Start points are kept in the task buffer and replayed by score. */
  readonly buffered: boolean;
  /** Attempts become start points of self-iteration steps. */
  readonly selfIteration: boolean;
}

export const STRATEGIES = {
  grpo: { buffered: false, selfIteration: false },
  improve: { buffered: true, selfIteration: true },
} as const satisfies Record<string, Strategy>;

export type StrategyName = keyof typeof STRATEGIES;
