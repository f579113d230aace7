// Handing a batch to native code must not depend on its size: no token is copied.
import { Bool, Field, Float32, Int32, List, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { describeBatch } from '../lib/native/bridge.ts';
import { addon, createModel, LOSS } from './support/engine.ts';
import { median } from './support/median.ts';
import { MODELS } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

const SHAPES = [
  [64, 128],
  [4096, 128],
  [4096, 2048],
] as const;
const CALLS = 3000;

interface Columns {
  readonly offsets: Int32Array;
  readonly tokens: Int32Array;
  readonly mask: Uint8Array;
  readonly logprob: Float32Array;
  readonly advantage: Float32Array;
}

function columns(rows: number, length: number): Columns {
  const n = rows * length;
  return {
    offsets: Int32Array.from({ length: rows + 1 }, (_, r) => r * length),
    tokens: new Int32Array(n).fill(3),
    mask: new Uint8Array((n + 7) >> 3).fill(255),
    logprob: new Float32Array(n),
    advantage: new Float32Array(rows),
  };
}

const lists = { tokens: new Int32(), loss_mask: new Bool(), logprob: new Float32() };
const fields = [
  ...Object.entries(lists).map(([name, type]) => new Field(name, new List(new Field('item', type, false)), false)),
  new Field('advantage', new Float32(), false),
];
const schema = new Schema(fields);

/** Typed arrays -> record batch, as the loop does it. */
function build({ offsets, tokens, mask, logprob, advantage }: Columns): RecordBatch {
  const length = tokens.length;
  const values = [
    makeData({ type: lists.tokens, data: tokens, nullCount: 0 }),
    makeData({ type: lists.loss_mask, data: mask, length, nullCount: 0 }),
    makeData({ type: lists.logprob, data: logprob, nullCount: 0 }),
  ];
  const children = values.map((child, c) =>
    makeData({ type: fields[c]!.type as List, valueOffsets: offsets, nullCount: 0, child }),
  );
  const type = new Struct(fields);
  const data = makeData({
    type,
    length: offsets.length - 1,
    nullCount: 0,
    children: [...children, makeData({ type: new Float32(), data: advantage, nullCount: 0 })],
  });
  return new RecordBatch(schema, data);
}

export async function handover(options: BenchOptions): Promise<Report> {
  const model = await createModel(MODELS['135k'], options);
  const cancelled = new addon.CancelToken();
  cancelled.cancel();
  const rows: Cell[][] = [];
  const data: object[] = [];
  for (const [count, length] of SHAPES) {
    const own = columns(count, length);
    const times = { build: [] as number[], describe: [] as number[], native: [] as number[] };
    for (let i = 0; i < CALLS; i++) {
      const start = performance.now();
      const batch = build(own);
      const built = performance.now();
      const description = describeBatch(batch);
      const described = performance.now();
      // A cancelled job does no work: what is timed is the checking of arguments, the views and the queue.
      const job = model.accumulate(description, LOSS, { microBatchTokens: 8192, recompute: 'none' }, cancelled);
      const handed = performance.now();
      await job.catch(() => {});
      // The first calls run before the compiler has seen them.
      if (i < CALLS / 3) continue;
      times.build.push(1e3 * (built - start));
      times.describe.push(1e3 * (described - built));
      times.native.push(1e3 * (handed - described));
    }
    const [b, d, n] = [median(times.build), median(times.describe), median(times.native)];
    const megabytes = (9 * count * length) / 1e6;
    const fastest = Math.min(...times.describe.map((time, i) => time + times.native[i]!));
    rows.push([`${count} x ${length}`, ...[megabytes, b, d, n, d + n, fastest].map(digits)]);
    data.push({ rows: count, length, build: b, describe: d, native: n, fastest });
  }
  model.close();
  const notes = [
    'Hand-over is describe + native call; building the record batch comes before it and copies nothing either.',
    'The native call ends by waking the thread that runs jobs: on a virtual machine that may cost more than all before it.',
  ];
  const head = ['rows x tokens', 'MB', 'build us', 'describe us', 'native call us', 'hand-over us', 'fastest us'];
  return { name: 'handover', title: 'Handing a batch over', columns: head, rows, notes, data };
}
