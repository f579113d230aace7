// Loading a checkpoint of 1 GB in bfloat16, made on the spot: against reading the file, in seconds and in memory.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { busyNote, busyShare } from './support/busy.ts';
import { type FileModel, writeRandomCheckpoint } from './support/checkpoint.ts';
import { addon } from './support/engine.ts';
import { median } from './support/median.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

/** 502 million parameters: a file of 1.0 GB. */
const MODEL: FileModel = { width: 1536, layers: 16, heads: 12, feedForward: 4096, vocabulary: 32000 };
const CHILD = fileURLToPath(new URL('./support/load-child.js', import.meta.url));

interface Loaded {
  /** Of the first load and of one after it, whose memory the system has at hand. */
  readonly seconds: readonly [number, number];
  /** Resident bytes before the first load, and at most during it. */
  readonly before: number;
  readonly peak: number;
}

const inChild = <T>(...args: readonly (string | number)[]): T =>
  JSON.parse(execFileSync(process.execPath, [CHILD, ...args.map(String)], { encoding: 'utf8' })) as T;

/** Reads the file piece by piece into the same memory. */
function readPlainly(path: string): number {
  const buffer = Buffer.alloc(1 << 20);
  const file = openSync(path, 'r');
  const start = performance.now();
  while (readSync(file, buffer, 0, buffer.length, null) > 0);
  closeSync(file);
  return (performance.now() - start) / 1000;
}

export async function load1GB(options: BenchOptions): Promise<Report> {
  addon.setThreads(options.threads);
  const folder = mkdtempSync(join(tmpdir(), 'exit-rl-bench-'));
  try {
    const path = join(folder, 'model.safetensors');
    const parameters = writeRandomCheckpoint(folder, MODEL);
    const bytes = statSync(path).size;
    readPlainly(path); // whatever the system keeps of a new file is in memory now
    const slab = 4 * parameters;
    const times = { plain: [] as number[], mapped: [] as number[], memory: [] as (readonly [number, number])[] };
    const loads: Loaded[] = [];
    const busy: number[] = [];
    for (let round = 0; round < options.repeats; round++) {
      busy.push(await busyShare(150));
      times.plain.push(readPlainly(path));
      times.mapped.push(addon.benchFile(path, 1).seconds[0]!);
      times.memory.push(inChild<{ seconds: [number, number] }>('touch', parameters, options.threads).seconds);
      loads.push(inChild<Loaded>('load', folder, options.threads));
    }
    const [first, again] = [0, 1].map((i) => times.memory.map((seconds) => seconds[i]!)) as [number[], number[]];
    const bound = median(times.mapped) + median(again);
    const row = (name: string, values: readonly number[]): Cell[] => [
      name,
      digits(median(values)),
      digits(Math.min(...values)),
      digits(bytes / median(values) / 1e9),
      `${(median(values) / bound).toFixed(2)} x`,
    ];
    const rows = [
      row('read the file into one buffer', times.plain),
      row('touch the mapped file', times.mapped),
      row('write to new memory for the weights', first),
      row('the same again', again),
      ...['loadModel', 'the same again'].map((name, i) =>
        row(
          name,
          loads.map(({ seconds }) => seconds[i]!),
        ),
      ),
    ];
    const grown = median(loads.map((l) => l.peak - l.before));
    const notes = [
      `${(bytes / 1e9).toFixed(2)} GB of bfloat16, ${parameters} parameters, from the page cache, ${options.threads} threads. A virtual ` +
        'machine gets its memory when it is first written to, which may take longer than all else: hence "again".',
      `Memory: the process grew by ${digits(grown / 1e9)} GB at its peak; the weights in float32 are ${digits(slab / 1e9)} GB, ` +
        `so ${digits(((grown - slab) / bytes) * 100)} % of the file came on top.`,
      ...busyNote(...busy),
    ];
    const columns = ['what', 'median s', 'fastest s', 'GB/s of file', 'times mapped file and memory again'];
    const data = { bytes, parameters, slab, ...times, loads };
    return { name: 'load', title: 'Loading a checkpoint', columns, rows, notes, data };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
