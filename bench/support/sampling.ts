import type { GenerateSettings } from '../../lib/native/addon.ts';

/** Plain sampling at temperature 1 until the length is reached. */
export function sampling(shape: { samplesPerPrompt: number; newTokens: number; seed: number }): GenerateSettings {
  return {
    samplesPerPrompt: shape.samplesPerPrompt,
    maxNewTokens: shape.newTokens,
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    repetitionPenalty: 1,
    stopTokens: [],
    stopSequences: [],
    seed: shape.seed,
    firstSequence: 0,
    pages: 0,
    maxRunning: 256,
    prefillTokens: 2048,
    keepPrefixes: false,
    embed: false,
  };
}
