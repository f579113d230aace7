// Tasks of our own over the simulated APIs, with the calls that solve them.
import type { Random } from '../../rng.ts';
import type { FunctionDocument } from '../bfcl/functions.ts';
import { ToolEpisode } from '../bfcl/episode.ts';
import type { ToolTask } from '../bfcl/tasks.ts';
import { fromJson, type PythonDict } from '../python/value.ts';
import type { Clock } from '../simulator.ts';
import type { Errand, Family } from './family.ts';
import { FAMILIES } from './registry.ts';

export interface MadeSettings {
  /** Classes to draw from. */
  readonly classes: readonly string[];
  /** Classes of a task, at most. */
  readonly mixed: number;
  /** Requests of a task. */
  readonly requests: number;
}

/** The documents of all classes that tasks are made of. */
export const madeDocuments = (): Map<string, readonly FunctionDocument[]> =>
  new Map(FAMILIES.map(({ className, documents }) => [className, documents]));

/** A task whose requests can all be fulfilled: every call of its ground truth has been run. */
export function makeTask(random: Random, id: string, settings: MadeSettings, clock: Clock): ToolTask {
  const { classes, mixed, requests } = settings;
  const count = Math.min(classes.length, 1 + random.below(mixed));
  const families = random
    .shuffled(classes)
    .slice(0, count)
    .map((name): Family => FAMILIES.find(({ className }) => className === name)!);
  const scenes = families.map((family) => family.scene(random));
  const config = fromJson(
    Object.fromEntries(families.map(({ className }, i) => [className, scenes[i]!.config])),
  ) as PythonDict;
  const names = families.map(({ className }) => className);
  const truth = new ToolEpisode(config, names, clock);
  const errands: Errand[] = [];
  while (errands.length < requests) {
    const errand = random.pick(scenes).errand(random);
    if (errand === null) continue;
    for (const call of errand.calls) {
      const result = truth.run(call);
      if (/^Error|^\{"error"/.test(result)) throw new Error(`made task: ${errand.request} ${call.name}: ${result}`);
    }
    errands.push(errand);
  }
  return {
    id,
    turns: errands.map(({ request }) => [{ role: 'user', content: request }]),
    config,
    classes: names,
    excluded: [],
    groundTruth: errands.map(({ calls }) => calls),
  };
}
