// y = x times W transposed, fp32: our packed weights against PyTorch's default and against oneDNN.
import { median } from './support/median.ts';
import { addon } from './support/engine.ts';
import { limits } from './support/limits.ts';
import { type Peer, startPeers } from './support/peer.ts';
import type { BenchOptions } from './support/options.ts';
import type { Cell, Report } from './support/report.ts';

const SIZES = [256, 1024, 4096];
const ROWS = [8, 64, 512, 4096];
const ENGINES = ['torch', 'onednn'] as const;

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

const shapes = (): Shape[] => ROWS.flatMap((m) => SIZES.flatMap((n) => SIZES.map((k) => ({ m, n, k }))));

/** Enough products for some 20 ms at 100 GFLOP/s, so that a call is not all clock. */
const repeatsFor = ({ m, n, k }: Shape): number => Math.min(400, Math.max(3, Math.ceil(2e9 / (2 * m * n * k))));

type Engine = (typeof ENGINES)[number] | 'ours';

async function measure(shape: Shape, peer: Peer | null, rounds: number): Promise<Partial<Record<Engine, number>>> {
  const repeats = repeatsFor(shape);
  const seconds: Record<Engine, number[]> = { ours: [], torch: [], onednn: [] };
  for (let round = 0; round < rounds; round++) {
    seconds.ours.push(median(addon.bench('linear_forward', [shape.m, shape.n, shape.k], repeats).seconds));
    if (!peer) continue;
    for (const engine of ENGINES) seconds[engine].push(median(await peer.run({ ...shape, engine, repeats })));
  }
  const rate = (values: readonly number[]): number => (2 * shape.m * shape.n * shape.k) / median(values) / 1e9;
  return Object.fromEntries(
    Object.entries(seconds)
      .filter(([, s]) => s.length > 0)
      .map(([e, s]) => [e, rate(s)]),
  );
}

export async function gemm(options: BenchOptions): Promise<Report> {
  addon.setThreads(options.threads);
  const gflops = limits().arithmetic / 1e9;
  const { running, missing } = options.peers
    ? await startPeers([['PyTorch', 'gemm.py', { threads: options.threads }]])
    : { running: [], missing: [] };
  const peer = running[0] ?? null;
  const rows: Cell[][] = [];
  const data: object[] = [];
  try {
    for (const shape of shapes()) {
      const label = `${shape.m} x ${shape.n} x ${shape.k}`;
      if (options.only !== null && !label.includes(options.only)) continue;
      const { ours = Number.NaN, torch, onednn } = await measure(shape, peer, options.repeats);
      const best = Math.max(torch ?? Number.NaN, onednn ?? Number.NaN);
      const show = (x: number | undefined): Cell => (x === undefined ? null : Math.round(x));
      const ratio = Number.isNaN(best) ? null : `${(ours / best).toFixed(2)} x`;
      rows.push([label, Math.round(ours), `${Math.round((100 * ours) / gflops)} %`, show(torch), show(onednn), ratio]);
      data.push({ ...shape, ours, torch, onednn });
    }
  } finally {
    await peer?.stop();
  }
  const columns = ['M x N x K', 'exit-rl GFLOP/s', 'of peak', 'torch', 'oneDNN', 'ours / better of the two'];
  const notes = [
    `Peak with ${addon.doctor().simd}: ${Math.round(gflops)} GFLOP/s on ${options.threads} threads. Weights are packed once per update and not timed; oneDNN gets its own layout too.`,
    ...(peer ? [peer.version] : []),
    ...missing.map(({ name, missing: reason }) => `${name}: ${reason}`),
  ];
  return { name: 'gemm', title: 'Matrix product', columns, rows, notes, data: { peak: gflops, shapes: data } };
}
