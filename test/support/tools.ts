// Short ways to run calls on simulated APIs.
import { ToolEpisode } from '../../lib/tools/bfcl/episode.ts';
import { fromJson, type PythonDict } from '../../lib/tools/python/value.ts';

export const CLOCK = { now: () => Date.parse('2026-01-02T03:04:05Z') };

/** An episode with one class in the state that plain JSON describes. */
export const episodeOf = (className: string, config: unknown = {}): ToolEpisode =>
  new ToolEpisode(fromJson({ [className]: config }) as PythonDict, [className], CLOCK);

/** The results of calls, in order, on a new episode. */
export function resultsOf(className: string, config: unknown, calls: readonly string[]): string[] {
  const episode = episodeOf(className, config);
  return calls.map((call) => episode.run(call));
}
