// Ours and the peers in one interleaved run: a machine that slows down slows all of them.
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from './median.ts';
import { startPeers } from './peer.ts';
import type { BenchOptions } from './options.ts';
import { type Cell, digits } from './report.ts';

export interface Measured {
  readonly name: string;
  readonly version: string;
  readonly seconds: readonly number[];
  readonly median: number;
  /** How much longer than ours; null where it is not known. */
  readonly ratio: number | null;
  readonly missing: string | null;
}

export interface Entrant {
  readonly name: string;
  readonly version?: string;
  run(): Promise<number>;
}

/** Thread pools of a library keep spinning for a while after its last call; ours must not pay for it. */
const SETTLE_MS = 250;

/** Times an action. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Every entrant once per round, each round starting with another one. The first entrant is ours. */
export async function interleave(entrants: readonly Entrant[], rounds: number): Promise<number[][]> {
  const seconds = entrants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entrants.length; i++) {
      const e = (round + i) % entrants.length;
      if (entrants.length > 1) await sleep(SETTLE_MS);
      seconds[e]!.push(await entrants[e]!.run());
    }
  }
  return seconds;
}

/** Ours against peers. `ours` is run once beforehand: the peers warm up when they start. */
export async function contest(
  ours: Entrant,
  wanted: readonly (readonly [name: string, script: string, settings: object])[],
  options: BenchOptions,
): Promise<Measured[]> {
  const { running, missing } = options.peers ? await startPeers(wanted) : { running: [], missing: [] };
  try {
    await ours.run();
    const peers = running.map(
      (peer): Entrant => ({ name: peer.name, version: peer.version, run: async () => (await peer.run())[0]! }),
    );
    const entrants = [ours, ...peers];
    const seconds = await interleave(entrants, options.repeats);
    const own = median(seconds[0]!);
    const measured = entrants.map(({ name, version = '' }, e): Measured => {
      const middle = median(seconds[e]!);
      return { name, version, seconds: seconds[e]!, median: middle, ratio: middle / own, missing: null };
    });
    const absent = missing.map(({ name, missing: reason }): Measured => {
      return { name, version: '', seconds: [], median: Number.NaN, ratio: null, missing: reason };
    });
    return [...measured, ...absent];
  } finally {
    for (const peer of running) peer.stop();
  }
}

export const CONTEST_COLUMNS: readonly string[] = ['case', 'who', 'median s', 'fastest s', 'times ours', 'version'];

export function contestRows(label: string, measured: readonly Measured[]): Cell[][] {
  return measured.map(({ name, version, seconds, median: middle, ratio, missing }) =>
    missing === null
      ? [
          label,
          name,
          digits(middle),
          digits(Math.min(...seconds)),
          ratio === null ? null : `${ratio.toFixed(2)} x`,
          version,
        ]
      : [label, name, null, null, null, missing],
  );
}
