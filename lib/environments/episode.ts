// When an episode is over and what it is worth.
import { mean } from '../statistics.ts';
import type { Attempt } from '../types.ts';
import type { Environment, EpisodeQuality } from './environment.ts';

/** Whether no turn comes after these answers. */
export function isOver<Instance>(
  environment: Pick<Environment<Instance>, 'turns' | 'ended'>,
  instance: Instance,
  history: readonly Attempt[],
): boolean {
  if (history.length >= environment.turns) return true;
  return history.length > 0 && (environment.ended?.(instance, history) ?? false);
}

/** Quality of an episode that is over; 0 for one without answers. */
export function episodeQuality(answers: readonly Pick<Attempt, 'quality'>[], rule: EpisodeQuality = 'mean'): number {
  if (rule === 'last') return answers.at(-1)?.quality ?? 0;
  return mean(answers.map(({ quality }) => quality));
}
