// The task buffer, full: inserting an entry (one leaves for it), re-scoring one and drawing one, by size and kind of
// sampling. All take O(log N): a thousand times the entries should cost a few times as much, caches included.
import { type BufferSettings, TaskBuffer } from '../lib/curriculum/buffer.ts';
import type { NewEntry } from '../lib/curriculum/entry.ts';
import { Random } from '../lib/rng.ts';
import { median } from './support/median.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

const SIZES = [1e3, 1e4, 1e5, 1e6];
const KINDS: Readonly<Record<string, Omit<BufferSettings, 'capacity'>>> = {
  softmax: { sampling: 'softmax', decay: 0.99 },
  rank: { sampling: 'rank', beta: 0.3 },
  top: { sampling: 'top', topK: 100 },
  staleness: { staleness: 1 },
};
/** Calls that are timed together: the clock costs as much as one of them. */
const CALLS = 2000;

export async function curriculum({ repeats, only }: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: object[] = [];
  for (const [kind, settings] of Object.entries(KINDS)) {
    if (only !== null && !kind.includes(only)) continue;
    for (const size of SIZES) {
      const times = measure(new TaskBuffer({ capacity: size, ...settings }), repeats);
      rows.push([kind, size, ...Object.values(times).map(digits)]);
      data.push({ kind, size, ...times });
    }
  }
  const columns = ['sampling', 'entries', 'fill us', 'insert us', 'rescore us', 'sample us'];
  const notes = [
    'Microseconds per call. Fill: per entry, while the buffer grows from nothing; the others: once it is full.',
  ];
  return { name: 'curriculum', title: 'The task buffer', columns, rows, notes, data };
}

function measure(buffer: TaskBuffer, repeats: number): Record<string, number> {
  const { capacity } = buffer;
  const random = new Random(1, 'bench', capacity);
  const start = (step: number): NewEntry => ({
    ...{ instance: random.below(1280), depth: 1, previous: null, episode: [], turn: 0 },
    ...{ score: random.uniform() / 4, born: step, scored: step },
  });
  const filling = timed(capacity, (i) => void buffer.insert(start(i)));
  const rounds = Array.from({ length: repeats }, (_, round) => {
    // The highest scores, so that all are let in.
    const newcomers = Array.from({ length: CALLS }, () => ({
      ...start(capacity + round),
      score: 0.2 + random.uniform() / 20,
    }));
    const ids = Array.from({ length: CALLS }, () => buffer.entry(random.below(capacity)).id);
    const scores = Array.from({ length: CALLS }, () => random.uniform() / 4);
    const draws = Array.from({ length: CALLS }, () => random.uniform());
    return {
      rescore: timed(CALLS, (i) => void buffer.rescore(ids[i]!, scores[i]!, capacity + round)),
      insert: timed(CALLS, (i) => void buffer.insert(newcomers[i]!)),
      sample: timed(CALLS, (i) => void buffer.sample(draws[i]!)),
    };
  });
  const middle = (name: 'insert' | 'rescore' | 'sample'): number => median(rounds.map((times) => times[name]));
  return { fill: filling, insert: middle('insert'), rescore: middle('rescore'), sample: middle('sample') };
}

/** Microseconds per call. */
function timed(calls: number, call: (i: number) => void): number {
  const start = performance.now();
  for (let i = 0; i < calls; i++) call(i);
  return (1e3 * (performance.now() - start)) / calls;
}
