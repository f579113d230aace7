// K steps of self-iteration in a row, as at inference: answer, then improve the latest answer again and again.
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Attempt } from '../types.ts';
import { judge } from './judge.ts';
import { type Sampling, sampleAttempts } from './sample.ts';

export type Release = (block: ArrayBuffer) => void;

/**
 * Yields the attempts y^0, y^1, ... y^steps, one round at a time, all instances side by side. An attempt that could not
 * be judged is null, and its next round starts again from the attempt before it.
 */
export async function* selfIterate(
  model: NativeModel,
  release: Release,
  environment: Environment,
  instances: readonly unknown[],
  steps: number,
  sampling: Omit<Sampling, 'samplesPerPrompt' | 'firstSequence'>,
): AsyncGenerator<readonly (Attempt | null)[]> {
  let latest: readonly (Attempt | null)[] = instances.map(() => null);
  for (let k = 0; k <= steps; k++) {
    const prompts = instances.map((instance, i) => {
      const previous = latest[i]!;
      return environment.prompt(instance, previous === null ? 'base' : 'improve', previous, []);
    });
    const firstSequence = k * instances.length;
    const sampled = await sampleAttempts(model, environment, prompts, {
      ...sampling,
      samplesPerPrompt: 1,
      firstSequence,
    });
    const judged = await Promise.all(
      instances.map((instance, i) => judge(environment, instance, sampled.completion(i), [])),
    );
    release(sampled.block);
    const round = judged.map(({ attempt }) => attempt);
    latest = round.map((attempt, i) => attempt ?? latest[i]!);
    yield round;
  }
}
