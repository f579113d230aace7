// Ours and the peers in one interleaved run: a machine that slows down slows all of them.
import { setTimeout as sleep } from 'node:timers/promises';
import { busyShare } from './busy.ts';
import { median } from './median.ts';
import { type Peer, startPeers } from './peer.ts';
import type { BenchOptions } from './options.ts';
import { type Cell, digits } from './report.ts';

export interface Measured {
  readonly name: string;
  readonly version: string;
  readonly seconds: readonly number[];
  readonly median: number;
  /** How much longer than ours; null where it is not known. */
  readonly ratio: number | null;
  /** The same from the fastest run of each. */
  readonly fastestRatio: number | null;
  readonly missing: string | null;
}

export interface Contest {
  readonly measured: readonly Measured[];
  /** Mean share of the cores that other processes used in the pauses. */
  readonly busy: number;
}

export interface Entrant {
  readonly name: string;
  readonly version?: string;
  run(): Promise<number>;
}

/** Thread pools of a library keep spinning for a while after its last call; ours must not pay for it. */
const SETTLE_MS = 100;
/** Then nobody of ours runs: whatever does is somebody else's. */
const LISTEN_MS = 150;

/** Times an action. */
export async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Seconds of every entrant, each once per round, each round starting with another one; pauses before every turn. */
export async function interleave(
  entrants: readonly Entrant[],
  rounds: number,
  pauses = true,
): Promise<{ seconds: number[][]; busy: number }> {
  const seconds = entrants.map((): number[] => []);
  let busy = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < entrants.length; i++) {
      const e = (round + i) % entrants.length;
      if (pauses) {
        await sleep(SETTLE_MS);
        busy += await busyShare(LISTEN_MS);
      }
      seconds[e]!.push(await entrants[e]!.run());
    }
  }
  return { seconds, busy: busy / (rounds * entrants.length) };
}

export type Missing = readonly { readonly name: string; readonly missing: string }[];
export type Wanted = readonly (readonly [name: string, script: string, settings: object])[];

/** A peer's turns, each with the same request. */
export function entrant(peer: Peer, request: object = {}): Entrant {
  return { name: peer.name, version: peer.version, run: async () => (await peer.run(request))[0]! };
}

/** Starts peers for `use` and waits until they are gone. */
export async function withPeers<Result>(
  wanted: Wanted,
  options: BenchOptions,
  use: (running: readonly Peer[], missing: Missing) => Promise<Result>,
): Promise<Result> {
  const { running, missing } = options.peers ? await startPeers(wanted) : { running: [], missing: [] };
  try {
    return await use(running, missing);
  } finally {
    for (const peer of running) await peer.stop();
  }
}

/** Ours against peers, and `also` of our own. Ours run once beforehand: the peers warm up when they start. */
export function contest(
  ours: Entrant,
  wanted: Wanted,
  options: BenchOptions,
  also: readonly Entrant[] = [],
): Promise<Contest> {
  return withPeers(wanted, options, async (running, missing) => {
    for (const own of [ours, ...also]) await own.run();
    const peers = running.map((peer) => entrant(peer));
    return compete([ours, ...also, ...peers], missing, options);
  });
}

/** Entrants that are warm; the first is ours. */
export async function compete(entrants: readonly Entrant[], missing: Missing, options: BenchOptions): Promise<Contest> {
  const { seconds, busy } = await interleave(entrants, options.repeats, !options.small);
  const [own, fastest] = [median(seconds[0]!), Math.min(...seconds[0]!)];
  const measured = entrants.map(({ name, version = '' }, e): Measured => {
    const all = seconds[e]!;
    const middle = median(all);
    const fastestRatio = Math.min(...all) / fastest;
    return { name, version, seconds: all, median: middle, ratio: middle / own, fastestRatio, missing: null };
  });
  const absent = missing.map(({ name, missing: reason }): Measured => {
    return { name, version: '', seconds: [], median: Number.NaN, ratio: null, fastestRatio: null, missing: reason };
  });
  return { measured: [...measured, ...absent], busy };
}

export const CONTEST_COLUMNS: readonly string[] = [
  'case',
  'who',
  'median s',
  'fastest s',
  'times ours',
  'by fastest',
  'version',
];

export function contestRows(label: string, { measured }: Contest): Cell[][] {
  const times = (ratio: number | null): Cell => (ratio === null ? null : `${ratio.toFixed(2)} x`);
  return measured.map(({ name, version, seconds, median: middle, ratio, fastestRatio, missing }) =>
    missing === null
      ? [label, name, digits(middle), digits(Math.min(...seconds)), times(ratio), times(fastestRatio), version]
      : [label, name, null, null, null, null, missing],
  );
}
