// Learning-rate schedules: lr(step) for step = 0, 1, ...; the first step of a warm-up of w steps has lr / w, not 0.

export type ScheduleKind = 'constant' | 'linear' | 'cosine' | 'sqrt';

export interface Schedule {
  readonly kind: ScheduleKind;
  /** Steps of linear warm-up. */
  readonly warmup: number;
  /** Where the decay ends, as a share of the peak. */
  readonly minRatio: number;
}

/** How the rate falls from 1 to 0 over the part after the warm-up; x in [0, 1]. */
const DECAY: Readonly<Record<ScheduleKind, (x: number) => number>> = {
  constant: () => 1,
  linear: (x) => 1 - x,
  cosine: (x) => 0.5 * (1 + Math.cos(Math.PI * x)),
  sqrt: (x) => Math.sqrt(1 - x),
};

/** The learning rate of a step out of `total`. */
export function learningRate(schedule: Schedule, peak: number, step: number, total: number): number {
  if (step < schedule.warmup) return (peak * (step + 1)) / schedule.warmup;
  const progress = Math.min(1, (step - schedule.warmup) / Math.max(1, total - schedule.warmup));
  return peak * (schedule.minRatio + (1 - schedule.minRatio) * DECAY[schedule.kind](progress));
}
