// The settings of how a buffer is sampled, and the samplers they stand for.
import type { EntryColumns } from './entry-columns.ts';
import { RankSampler, type Sampler, SoftmaxSampler, TopSampler } from './samplers.ts';
import type { Before } from './slot-index.ts';

export const SAMPLING = ['softmax', 'rank', 'top'] as const;

export interface SamplingSettings {
  /** softmax: P ~ exp(kappa S). rank: P ~ rank(S)^(-1/beta). top: uniform over the highest `topK`. */
  readonly sampling: (typeof SAMPLING)[number];
  readonly kappa: number;
  readonly beta: number;
  /** Null: all. */
  readonly topK: number | null;
  /** What a measurement keeps of its worth per step; 1: all. */
  readonly decay: number;
  /** Share of draws by the time since the score was measured instead of by the score (rho). */
  readonly staleness: number;
}

/** The sampler by score. */
export function scoreSampler(capacity: number, settings: SamplingSettings, columns: EntryColumns): Sampler {
  const { sampling, kappa, beta, topK, decay } = settings;
  const { id, score, scored } = columns;
  // decay ^ (now - scored) differs from decay ^ -scored by one factor for all entries, which cancels: no entry has to be
  // touched when time passes.
  const fade = -Math.log(decay);
  if (sampling === 'softmax') {
    return new SoftmaxSampler(capacity, (slot) => kappa * score[slot]! + fade * scored[slot]!);
  }
  // Ranks go by S decay ^ (now - scored), by its logarithm once there is a decay. Among equals the newest is first.
  const key = (slot: number): number => (fade === 0 ? score[slot]! : Math.log(score[slot]!) + fade * scored[slot]!);
  const before: Before = (a, b) => {
    const [x, y] = [key(a), key(b)];
    return x === y ? id[a]! > id[b]! : x > y;
  };
  return sampling === 'rank'
    ? new RankSampler(capacity, before, beta)
    : new TopSampler(capacity, before, topK ?? capacity);
}
