// How answers are sampled in an evaluation: as the configuration says; where it is silent, as the generation_config.json of
// the folder the model comes from says; else plainly, at temperature 1.
import type { Config } from '../config/schema.ts';
import type { Environment } from '../environments/environment.ts';
import { UsageError } from '../errors.ts';
import { readGenerationConfig } from '../huggingface/generation-config.ts';
import { modelFolder } from '../model.ts';

export interface EvaluationSampling {
  /** 0: greedy. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  /** Tokens that end an answer, beside the environment's own. */
  readonly stopTokens: readonly number[];
}

export type SamplingWishes = Partial<Omit<EvaluationSampling, 'stopTokens'>>;

export const PLAIN: EvaluationSampling = {
  ...{ temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, stopTokens: [] },
};

/** How a folder's generation_config.json wants answers sampled; plainly where there is none. */
export function folderSampling(folder: string | null): EvaluationSampling {
  const file = folder === null ? null : readGenerationConfig(folder);
  if (file === null) return PLAIN;
  const { temperature, topK, topP, minP, repetitionPenalty, eosTokens: stopTokens } = file;
  return { temperature, topK, topP, minP, repetitionPenalty, stopTokens };
}

/**
 * The configuration with numbers for whatever it leaves to generation_config.json. Done once, when a run is made: its
 * checkpoints may hold another such file, and the folder may be gone when the run goes on.
 */
export function withGenerationDefaults(config: Config): Config {
  const defaults = folderSampling(modelFolder(config));
  const evaluation = { ...config.evaluation };
  for (const key of Object.keys(PLAIN) as (keyof EvaluationSampling)[]) {
    Object.assign(evaluation, { [key]: evaluation[key] ?? defaults[key] });
  }
  checkSamples(evaluation.samples, evaluation.temperature, 'set evaluation.temperature');
  return { ...config, evaluation };
}

/** What an evaluation uses; `wishes` (of a command line) come before the configuration. */
export function evaluationSampling(
  { evaluation }: Pick<Config, 'evaluation'>,
  environment: Pick<Environment, 'vocabularySize'>,
  wishes: SamplingWishes = {},
): EvaluationSampling {
  const value = (key: keyof SamplingWishes): number => wishes[key] ?? evaluation[key] ?? PLAIN[key];
  return {
    temperature: value('temperature'),
    topK: value('topK'),
    topP: value('topP'),
    minP: value('minP'),
    repetitionPenalty: value('repetitionPenalty'),
    // An id inside the environment's own vocabulary means something else there.
    stopTokens: (evaluation.stopTokens ?? []).filter((id) => id >= environment.vocabularySize),
  };
}

/** Several greedy samples of one prompt are all the same. */
export function checkSamples(samples: number, temperature: number | null, fix: string): void {
  if (samples > 1 && temperature === 0) {
    throw new UsageError(`${samples} samples per instance, but sampling is greedy and all would be the same; ${fix}`);
  }
}
