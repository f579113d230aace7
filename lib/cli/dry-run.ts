// What a configuration amounts to, without training.
import { formatConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Environment } from '../environments/environment.ts';
import { formatTable } from '../evaluation/table.ts';
import { openEnvironment, planConfigured } from '../model.ts';
import type { Addon, MemoryRequest } from '../native/addon.ts';

const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The most sequences that an evaluation of the run samples. */
function evaluatedSequences({ evaluation }: Config, { sizes }: Environment): number {
  const { every, instances, finalInstances, samples } = evaluation;
  const held = sizes?.held_out ?? Number.POSITIVE_INFINITY;
  return Math.max(every > 0 ? Math.min(instances, held) : 0, Math.min(finalInstances, held) * samples);
}

/** The batch of one step, and what its evaluations sample. */
export function memoryRequest(config: Config, environment: Environment): MemoryRequest {
  const { rollout, train, algorithm } = config;
  return {
    prompts: rollout.groups,
    samplesPerPrompt: rollout.groupSize,
    promptTokens: environment.promptTokens,
    newTokens: environment.attempt.maxTokens,
    maxRunning: rollout.maxRunning,
    prefillTokens: rollout.prefillTokens,
    keepPrefixes: environment.turns > 1,
    evaluated: evaluatedSequences(config, environment),
    microBatchTokens: train.microBatchTokens,
    recompute: train.recompute,
    reference: (algorithm.loss.klWeight ?? 0) > 0,
  };
}

/** Prints the resolved configuration and the memory the native engine will hold. */
export function dryRun(addon: Addon, config: Config, json: boolean): void {
  const environment = openEnvironment(config);
  const planned = planConfigured(addon, config, environment, memoryRequest(config, environment));
  const { parameterCount, trainedCount: trained, total, segments } = planned;
  if (json) {
    process.stdout.write(`${JSON.stringify({ config, parameterCount, trained, memory: { total, segments } })}\n`);
    return;
  }
  const rows = segments.map(({ name, bytes }) => [name, mebibytes(bytes)]);
  const parameters = `${parameterCount} parameters${trained === parameterCount ? '' : `; an adapter of ${trained} is trained`}`;
  process.stdout.write(
    `${formatConfig(config)}\n${parameters}\n${formatTable([...rows, ['memory in all', mebibytes(total)]])}\n`,
  );
}
