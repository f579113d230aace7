// Advantages of a step: the algorithm's, scaled by the diversity bonus where the strategy asks for it, and without the
// attempts that the overlong filter takes out.
import type { Config } from '../config/schema.ts';
import type { Strategy } from '../curriculum/strategies.ts';
import { diversityFactors, meanPairwiseDistance } from '../diversity/bonus.ts';
import { EMBEDDERS } from '../diversity/embedders.ts';
import type { SampledTurn } from '../rollout/rollout.ts';
import { known, mean } from '../statistics.ts';
import type { Group } from '../types.ts';
import { ALGORITHMS } from './registry.ts';

export interface GroupAdvantages {
  /** One per attempt. */
  readonly advantages: readonly (readonly number[])[];
  /** Mean distance of two attempts of a group in the embedder's space; null where nothing was embedded. */
  readonly distance: number | null;
}

export async function groupAdvantages(
  { algorithm, diversity }: Pick<Config, 'algorithm' | 'diversity'>,
  strategy: Strategy,
  groups: readonly Group[],
  turns: readonly SampledTurn[],
): Promise<GroupAdvantages> {
  const estimated = ALGORITHMS[algorithm.name].advantages(groups);
  const { overlong } = algorithm;
  const advantages = estimated.map((list, g) =>
    list.map((advantage, i) => (overlong === 'mask' && groups[g]!.truncated[i] ? 0 : advantage)),
  );
  if (!strategy.diversityBonus && !diversity.measure) return { advantages, distance: null };

  // What distinguishes the attempts of a group is their answer in the step itself.
  const embeddings = groups.map(({ attempts }) => attempts.map((): Float32Array | null => null));
  for (const { turn, sampled, owners } of turns) {
    if (turn > 0) continue;
    const rows = await EMBEDDERS[diversity.embedder].embed(sampled);
    for (const [row, owner] of owners.entries()) if (owner !== null) embeddings[owner[0]]![owner[1]] = rows[row]!;
  }
  const distances = known(embeddings.map(meanPairwiseDistance));
  const distance = distances.length === 0 ? null : mean(distances);
  if (!strategy.diversityBonus) return { advantages, distance };
  const factors = embeddings.map((group) => diversityFactors(group, diversity));
  return { advantages: advantages.map((list, g) => list.map((a, i) => a * factors[g]![i]!)), distance };
}
