// What is left of the ground truth.
import type { Call } from '../python/literal.ts';
import type { Clock } from '../simulator.ts';
import { sameCall } from './check.ts';
import { ToolEpisode } from './episode.ts';
import type { ToolTask } from './tasks.ts';

/** The calls of a request that have not been made, with names for all their arguments: JSON has no place for others. */
export function callsLeft(task: ToolTask, request: number, made: readonly Call[], clock: Clock): Call[] {
  const episode = new ToolEpisode(task.config, task.classes, clock);
  const truth = task.groundTruth[request] ?? [];
  let next = 0;
  for (const call of made) if (next < truth.length && sameCall(episode, truth[next]!, call)) next++;
  return truth.slice(next).map((call) => withNames(episode, call));
}

function withNames({ instances }: ToolEpisode, { name, positional, named }: Call): Call {
  const methods = Array.from(instances.values(), (simulator) => simulator.methods.get(name));
  const parameters = methods.findLast((method) => method !== undefined)?.parameters ?? [];
  const given = positional.map((value, i) => [parameters[i]?.name ?? String(i), value] as const);
  return { name, positional: [], named: [...given, ...named] };
}
