// What every benchmark takes from the command line.
import type { Report } from './report.ts';

export interface BenchOptions {
  /** Threads of ours and of every peer. */
  readonly threads: number;
  /** Interleaved rounds; the median is reported. */
  readonly repeats: number;
  /** Whether peers are run at all. */
  readonly peers: boolean;
  /** Only rows whose name contains this. */
  readonly only: string | null;
  readonly microBatchTokens: number;
  /** What linear layers of our models compute with. */
  readonly dtype: 'float32' | 'bfloat16';
  /** Of the benchmarks on a card. */
  readonly device: string;
  /** Of those: only cases after this one; `reached` once it has been seen. */
  readonly after: { readonly label: string; reached: boolean } | null;
  /** Of those: tiny shapes, to see that everything runs. */
  readonly small: boolean;
  /** Takes what there is so far, and the case that runs next; null: none. */
  readonly progress?: (report: Report, running: string | null) => void;
}
