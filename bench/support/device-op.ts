// Single ops of a device.
import { addon } from './engine.ts';
import { median } from './median.ts';
import { notMeasured, type OpenReport } from './cases.ts';
import type { CardRates } from './gpu-models.ts';
import type { BenchOptions } from './options.ts';

/** Seconds of work before the first window, for the clocks of a card to rise; a window is a tenth of it. Of ours and of PyTorch. */
export const WARM_UP = 0.25;
export const warmUp = ({ small }: BenchOptions): number => (small ? 0 : WARM_UP);

/** With --small, sizes that the emulated device computes in no time. */
export const sized = ({ small }: BenchOptions, n: number): number => (small ? Math.min(n, 16) : n);
export const shaped = (options: BenchOptions, shape: readonly number[]): number[] =>
  shape.map((n) => sized(options, n));

export type OpTimes = ReturnType<typeof addon.benchDevice>;

export function timeOp(
  op: string,
  shape: readonly number[],
  options: BenchOptions,
  { dtype = 'bfloat16', repeats = options.repeats }: { dtype?: BenchOptions['dtype']; repeats?: number } = {},
): OpTimes {
  return addon.benchDevice(options.device, op, shape, { dtype }, repeats, warmUp(options));
}

/** What this card can do, by its own copies, products and attention; NaN where that fails. */
export function cardRates(report: OpenReport, options: BenchOptions): CardRates {
  const rate = (op: string, shape: readonly number[], what: 'flops' | 'bytes'): number => {
    try {
      const result = timeOp(op, shaped(options, shape), options);
      return result[what] / median(result.seconds);
    } catch (error) {
      notMeasured(report, `limit of ${op}`, error);
      return Number.NaN;
    }
  };
  return {
    copy: rate('copy', [1 << 30], 'bytes'),
    products: rate('gemm_nt', [8192, 8192, 8192], 'flops'),
    attentionForward: rate('attention_forward', [32, 1024, 16, 8, 128], 'flops'),
    attentionBackward: rate('attention_backward', [32, 1024, 16, 8, 128], 'flops'),
  };
}
