// Every kernel alone: rate, and how close it comes to what arithmetic and memory allow.
import { median } from './support/median.ts';
import { addon } from './support/engine.ts';
import { limits } from './support/limits.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

/** Shapes of the 4.3M-parameter decoder in training (8192 rows) and in decoding (256 rows). */
const CASES: readonly (readonly [op: string, shape: readonly number[]])[] = [
  ['linear_forward', [8192, 768, 256]],
  ['linear_forward', [8192, 2048, 256]],
  ['linear_forward', [256, 768, 256]],
  ['linear_forward', [8, 768, 256]],
  ['linear_dx', [8192, 2048, 256]],
  ['linear_dw', [8192, 2048, 256]],
  ['lora_forward', [8192, 2048, 256, 16]],
  ['lora_backward', [8192, 2048, 256, 16]],
  ['attention_forward', [64, 128, 4, 4, 64]],
  ['attention_backward', [64, 128, 4, 4, 64]],
  ['attention_decode', [256, 128, 4, 4, 64]],
  ['rmsnorm_forward', [8192, 256]],
  ['rmsnorm_backward', [8192, 256]],
  ['glu_forward', [8192, 1024]],
  ['glu_backward', [8192, 1024]],
  ['head_forward', [4096, 256, 512]],
  ['head_fused', [4096, 256, 512]],
  ['head_fused', [512, 768, 50304]],
  ['adamw', [4327680]],
];

export async function ops(options: BenchOptions): Promise<Report> {
  addon.setThreads(options.threads);
  const { arithmetic, bandwidth } = limits();
  const rows: Cell[][] = [];
  const data: object[] = [];
  for (const [op, shape] of CASES) {
    if (options.only !== null && !op.includes(options.only)) continue;
    const { seconds, flops, bytes } = addon.bench(op, shape, Math.max(5, options.repeats));
    const middle = median(seconds);
    // Small operands stay in the caches, so a memory-bound op can beat main memory: more than 100 % is possible.
    const bound = Math.max(flops / arithmetic, bytes / bandwidth);
    const why = flops / arithmetic > bytes / bandwidth ? 'arithmetic' : 'memory';
    const rate = `${Math.round((100 * bound) / middle)} %`;
    rows.push([
      op,
      shape.join(' x '),
      digits(middle * 1e3),
      digits(flops / middle / 1e9),
      digits(bytes / middle / 1e9),
      rate,
      why,
    ]);
    data.push({ op, shape, seconds, flops, bytes });
  }
  const notes = [
    `Peak ${Math.round(arithmetic / 1e9)} GFLOP/s (${addon.doctor().simd}), memory ${digits(bandwidth / 1e9)} GB/s, ${options.threads} threads.`,
  ];
  const columns = ['op', 'shape', 'ms', 'GFLOP/s', 'GB/s', 'of roofline', 'bound by'];
  return { name: 'ops', title: 'Kernels', columns, rows, notes, data: { arithmetic, bandwidth, ops: data } };
}
