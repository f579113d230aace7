// K steps of self-iteration in a row, as at inference: answer, then improve the latest answer again and again.
import type { Sampled } from '../batch/sampled.ts';
import { GENERATED_FIELDS } from '../batch/schema.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import { mean } from '../statistics.ts';
import type { Attempt } from '../types.ts';
import { answer, type Asked } from './answer.ts';
import type { Sampling } from './sample.ts';

export type Release = (block: ArrayBuffer) => void;

/**
 * Whether an answer is worth another step. `meanLogprob`: mean log-probability per token (nats, temperature 1, no filters)
 * that the policy gave the answer when it sampled it: its own confidence, the verifier has no say.
 */
export type ShouldRevise = (attempt: Attempt, meanLogprob: number) => boolean;

/**
 * Selective revision: only answers the policy itself was unsure of are revised. PAG (arXiv 2506.10406) asks the model for
 * a verdict in words; a policy without words has its likelihood to go by.
 */
export const reviseBelow =
  (threshold: number): ShouldRevise =>
  (_, meanLogprob) =>
    meanLogprob < threshold;

/** How every step is sampled. */
export type StepSampling = Omit<Sampling, 'samplesPerPrompt' | 'firstSequence' | 'keepPrefixes' | 'embed'>;

export interface SelfIteration {
  /** Per instance, the answers that stand from earlier turns (default: none). */
  readonly histories?: readonly (readonly Attempt[])[];
  /** Asked before every step but the first. An answer once found good stands for all later steps. Default: always. */
  readonly shouldRevise?: ShouldRevise;
}

/**
 * Yields the attempts y^0, y^1, ... y^steps of one turn, one round at a time, all instances side by side. An attempt that
 * could not be judged is null, and its next round starts again from the attempt before it. An answer that was not revised
 * is the same object as in the round before. Round k uses random numbers from `firstSequence` + k * instances on. What the
 * prompts of two rounds have in common at their beginning, as a request that comes before the answer, is computed once.
 * Where the best answer stands (`Environment.standing`), a worse one is forgotten and the next round starts from the best.
 */
export async function* selfIterate(
  model: NativeModel,
  release: Release,
  environment: Environment,
  instances: readonly unknown[],
  steps: number,
  sampling: StepSampling & { readonly firstSequence?: number },
  { histories, shouldRevise = () => true }: SelfIteration = {},
): AsyncGenerator<readonly (Attempt | null)[]> {
  const keepsBest = environment.standing === 'best';
  const latest: (Attempt | null)[] = instances.map(() => null);
  const meanLogprobs = instances.map(() => 0);
  await environment.prepare?.(instances);
  for (let k = 0; k <= steps; k++) {
    const open = [...instances.keys()].filter((i) => {
      const attempt = latest[i]!;
      return attempt === null || shouldRevise(attempt, meanLogprobs[i]!);
    });
    const round = [...latest];
    if (open.length > 0) {
      const prompts = open.map((i) => {
        const previous = latest[i]!;
        return environment.prompt(instances[i], previous === null ? 'base' : 'improve', previous, histories?.[i] ?? []);
      });
      const asked = (row: number): Asked => ({
        instance: instances[open[row]!],
        history: histories?.[open[row]!] ?? [],
      });
      const { parts, judged } = await answer(model, environment, prompts, asked, {
        ...sampling,
        samplesPerPrompt: 1,
        keepPrefixes: true,
        embed: false,
        firstSequence: (sampling.firstSequence ?? 0) + k * instances.length,
      });
      for (const { sampled, firstRow } of parts) {
        for (let row = 0; row < sampled.rows; row++) {
          const i = open[firstRow + row]!;
          const { attempt } = judged[firstRow + row]!;
          const before = latest[i]!;
          const keeps = keepsBest && attempt !== null && before !== null && known(before) > known(attempt);
          round[i] = keeps ? before : attempt;
          if (attempt === null || keeps) continue;
          latest[i] = attempt;
          meanLogprobs[i] = meanLogprob(sampled, row);
        }
        release(sampled.block);
      }
    }
    yield round;
  }
}

const known = ({ shown, quality }: Attempt): number => shown ?? quality;

const RAW_LOGPROB = GENERATED_FIELDS.findIndex(({ name }) => name === 'raw_logprob');

function meanLogprob({ data, offsets, promptLength }: Sampled, row: number): number {
  const values = data[RAW_LOGPROB]!.children[0]!.values as Float32Array;
  return mean(Array.from(values.subarray(offsets[row]! + promptLength[row]!, offsets[row + 1]!)));
}
