// Short ways to run calls on simulated APIs.
import assert from 'node:assert/strict';
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

/** Calls with the results that they must have, one after the other. */
export type Script = readonly (readonly [call: string, result: string])[];

/** Runs a script on a new episode. */
export function play(className: string, config: unknown, script: Script): void {
  const results = resultsOf(
    className,
    config,
    script.map(([call]) => call),
  );
  for (const [i, [call, expected]] of script.entries()) assert.equal(results[i], expected, `${i}: ${call}`);
}
