// Rolls out one step: every task becomes a group of attempts that share its prompt.
import type { Sampled } from '../batch/sampled.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Task } from '../types.ts';
import { type Judged, judge } from './judge.ts';
import { type Sampling, sampleAttempts } from './sample.ts';

export interface Rollout {
  readonly sampled: Sampled;
  /** Per task, its attempts in the order of the batch's rows. */
  readonly answers: readonly (readonly Int32Array[])[];
}

/** Samples a group of attempts for each task. */
export async function rollOut(
  model: NativeModel,
  environment: Environment,
  tasks: readonly Task[],
  sampling: Sampling,
): Promise<Rollout> {
  const prompts = tasks.map(({ instance, mode, previous }) =>
    environment.prompt(environment.task(instance, 'train'), mode, previous),
  );
  const sampled = await sampleAttempts(model, environment, prompts, sampling);
  const { samplesPerPrompt } = sampling;
  const answers = tasks.map((_, g) =>
    Array.from({ length: samplesPerPrompt }, (_, i) => sampled.completion(g * samplesPerPrompt + i)),
  );
  return { sampled, answers };
}

/** Judges all attempts of a rollout; verifiers may run side by side. */
export function judgeAll(environment: Environment, tasks: readonly Task[], rollout: Rollout): Promise<Judged[][]> {
  return Promise.all(
    tasks.map(({ instance }, g) => {
      const task = environment.task(instance, 'train');
      return Promise.all(rollout.answers[g]!.map((answer) => judge(environment, task, answer)));
    }),
  );
}
