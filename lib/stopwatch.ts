import { performance } from 'node:perf_hooks';
import type { StepSeconds } from './types.ts';

type Part = Exclude<keyof StepSeconds, 'total'>;

export interface Stopwatch {
  /** What passed since the last lap belongs to this part, except what `within` gave to others. */
  lap(part: Part): void;
  /** Does work that belongs to this part in the middle of another's lap. */
  within<T>(part: Part, work: () => T): T;
  seconds(): StepSeconds;
}

/** Measures the parts of a step. */
export function stopwatch(): Stopwatch {
  const start = performance.now();
  const parts: Record<Part, number> = { rollout: 0, update: 0, curriculum: 0 };
  let last = start;
  const give = (part: Part, from: number): number => {
    const spent = performance.now() - from;
    parts[part] += spent / 1000;
    last += spent;
    return spent;
  };
  return {
    lap: (part) => void give(part, last),
    within(part, work) {
      const from = performance.now();
      const result = work();
      give(part, from);
      return result;
    },
    seconds: () => ({ ...parts, total: (performance.now() - start) / 1000 }),
  };
}
