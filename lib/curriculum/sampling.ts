// The settings of how a buffer is sampled, and the samplers they stand for.
import type { Entry } from './entry.ts';
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
export function scoreSampler(capacity: number, settings: SamplingSettings, entry: (slot: number) => Entry): Sampler {
  const { sampling, kappa, beta, topK, decay } = settings;
  // decay ^ (now - scored) differs from decay ^ -scored by one factor for all entries, which cancels: no entry has to be
  // touched when time passes.
  const fade = -Math.log(decay);
  if (sampling === 'softmax') {
    return new SoftmaxSampler(capacity, (slot) => kappa * entry(slot).score + fade * entry(slot).scored);
  }
  // Ranks go by S decay ^ (now - scored), by its logarithm once there is a decay. Among equals the newest is first.
  const key = ({ score, scored }: Entry): number => (fade === 0 ? score : Math.log(score) + fade * scored);
  const before: Before = (a, b) => {
    const [x, y] = [entry(a), entry(b)];
    const difference = key(x) - key(y);
    return difference === 0 || Number.isNaN(difference) ? x.id > y.id : difference > 0; // NaN: both scores are 0
  };
  return sampling === 'rank'
    ? new RankSampler(capacity, before, beta)
    : new TopSampler(capacity, before, topK ?? capacity);
}
