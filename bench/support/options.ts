// What every benchmark takes from the command line.

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
}
