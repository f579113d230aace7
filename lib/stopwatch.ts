import { performance } from 'node:perf_hooks';
import type { StepSeconds } from './types.ts';

type Part = Exclude<keyof StepSeconds, 'total'>;

/** Measures the parts of a step; each lap ends where the next begins. */
export function stopwatch(): { lap(part: Part): void; seconds(): StepSeconds } {
  const start = performance.now();
  const parts: Record<Part, number> = { rollout: 0, update: 0, curriculum: 0 };
  let last = start;
  return {
    lap(part) {
      const now = performance.now();
      parts[part] = (now - last) / 1000;
      last = now;
    },
    seconds: () => ({ ...parts, total: (performance.now() - start) / 1000 }),
  };
}
