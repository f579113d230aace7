// Prompts in, attempts out: one native call with a whole batch of prompts.
import { promptBatch } from '../batch/supervised.ts';
import { Sampled } from '../batch/sampled.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import { describeBatch } from '../native/bridge.ts';

/** How attempts are sampled. Random numbers are keyed by (seed, firstSequence + row, position). */
export interface Sampling {
  readonly samplesPerPrompt: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  /** Default 1: off. */
  readonly repetitionPenalty?: number;
  /** Tokens that end an attempt beside those of the environment. */
  readonly stopTokens?: readonly number[];
  readonly maxRunning: number;
  readonly pages: number;
  readonly prefillTokens: number;
  readonly keepPrefixes: boolean;
  readonly embed: boolean;
  readonly seed: number;
  readonly firstSequence: number;
}

/** Samples `samplesPerPrompt` attempts of every prompt. */
export async function sampleAttempts(
  model: NativeModel,
  environment: Environment,
  prompts: readonly Int32Array[],
  sampling: Sampling,
): Promise<Sampled> {
  const { maxTokens, stopTokens, stopSequences } = environment.attempt;
  const generated = await model.generate(describeBatch(promptBatch(prompts)), {
    ...sampling,
    maxNewTokens: maxTokens,
    repetitionPenalty: sampling.repetitionPenalty ?? 1,
    stopTokens: [...stopTokens, ...(sampling.stopTokens ?? [])],
    stopSequences,
  });
  return Sampled.of(generated);
}
