// Every op of the CUDA backend, as a share of what this card does in the same run: device copies, products of random numbers.
import { type Case as LabelledCase, openReport, runCases } from './support/cases.ts';
import { cardRates, shaped, timeOp } from './support/device-op.ts';
import { addon } from './support/engine.ts';
import { median } from './support/median.ts';
import type { BenchOptions } from './support/options.ts';
import { digits, percent, type Report } from './support/report.ts';

type Case = readonly [op: string, shape: readonly number[]];

/** Shapes of Qwen3-0.6B with 32768 rows, large enough to leave the caches. */
const CASES: readonly Case[] = [
  ['gemm_nt', [8192, 8192, 8192]],
  ['gemm_nt', [32768, 6144, 1024]],
  ['gemm_nn', [32768, 1024, 6144]],
  ['gemm_tn', [6144, 1024, 32768]],
  ['gemm_nt', [256, 6144, 1024]],
  ['gemm_nt', [1, 6144, 1024]],
  ['gemm_nt_fixed', [8192, 8192, 8192]],
  ['gemm_nt_fixed', [32768, 6144, 1024]],
  ['gemm_nn_fixed', [32768, 1024, 6144]],
  ['gemm_tn_fixed', [6144, 1024, 32768]],
  ['gemm_nt_fixed', [256, 6144, 1024]],
  ['gemm_nt_fixed', [1, 6144, 1024]],
  ['attention_forward', [16, 2048, 16, 8, 128]],
  ['attention_forward', [32, 1024, 14, 2, 64]],
  ['attention_backward', [16, 2048, 16, 8, 128]],
  ['attention_backward', [32, 1024, 14, 2, 64]],
  ['attention_decode', [256, 768, 16, 8, 128]],
  ['attention_decode', [1, 8192, 16, 8, 128]],
  ['attention_decode_group', [16, 16, 512, 256, 16, 8, 128]],
  ['rmsnorm_forward', [65536, 1024]],
  ['rmsnorm_backward', [65536, 1024]],
  ['qk_rope_forward', [32768, 16, 8, 128]],
  ['qk_rope_backward', [32768, 16, 8, 128]],
  ['glu_forward', [32768, 3072]],
  ['glu_backward', [32768, 3072]],
  ['embedding_forward', [65536, 1024, 151936]],
  ['embedding_backward', [65536, 1024, 151936]],
  ['head_rows', [2048, 151936]],
  ['head_gradient', [2048, 151936]],
  ['head', [2048, 1024, 151936]],
  ['sample', [256, 151936]],
  ['sample_top_p', [256, 151936]],
  ['adamw', [200_000_000]],
  ['gradient_norm', [200_000_000]],
];

/** Linear layers of Qwen3-0.6B: features out and in of q/k/v, o, gate/up and down. */
const LAYERS = [
  [4096, 1024],
  [1024, 2048],
  [6144, 1024],
  [1024, 3072],
] as const;
const ROWS = 32768;

/**
 * All products of a training step, in turns with a bare loop of cuBLASLt for the shape alone: outputs, gradients of inputs and of
 * weights, of the layers and of the head's chunks.
 */
const AGAINST_BARE: readonly Case[] = [
  ['gemm_nt_against_bare', [8192, 8192, 8192]],
  ...LAYERS.map(([N, K]): Case => ['gemm_nt_against_bare', [ROWS, N, K]]),
  ...LAYERS.map(([N, K]): Case => ['gemm_nn_against_bare', [ROWS, K, N]]),
  ...LAYERS.map(([N, K]): Case => ['gemm_tn_against_bare', [N, K, ROWS]]),
  ['logits_against_bare', [2048, 151936, 1024]],
  ['gemm_nn_against_bare', [2048, 1024, 151936]],
  ['gemm_tn_against_bare', [151936, 1024, 2048]],
];

export async function gpuOps(options: BenchOptions): Promise<Report> {
  const columns = ['op', 'shape', 'us', 'TFLOP/s', 'TB/s', 'of limit', 'bound by', 'of the bare loop'];
  const data = { copy: Number.NaN, products: Number.NaN, ops: [] as object[], againstBare: [] as object[] };
  const report = openReport('gpu-ops', 'CUDA kernels', columns, data);
  const { copy, products } = Object.assign(data, cardRates(report, options));
  report.notes.push(
    `${addon.doctor().cuda.devices[0]?.name ?? 'no card'}, ${options.dtype}. Limits of this run: copies ${digits(copy / 1e12)} TB/s, bf16 products of random numbers ${digits(products / 1e12)} TFLOP/s.`,
    'Attention counts half of the square (causal); a decoding row counts every key once, a shared beginning once a group.',
    'Ops bound by memory take turns among buffers that no cache holds together.',
    'Bare loop: cublasLtMatmul alone, descriptors of the one shape, the fastest of up to 16 suggested algorithms; in turns with ours.',
  );
  const labelled = ([op, shape]: Case, run: (op: string, shape: number[], label: string) => void): LabelledCase => {
    const sizes = shaped(options, shape);
    const label = `${op} ${sizes.join(' x ')}`;
    return { label, run: () => run(op, sizes, label) };
  };
  const alone = (op: string, shape: number[]): void => {
    const { seconds, flops, bytes } = timeOp(op, shape, options, { dtype: options.dtype });
    const middle = median(seconds);
    const bound = Math.max(flops / products, bytes / copy);
    const by = flops / products > bytes / copy ? 'products' : 'copy';
    report.rows.push([op, shape.join(' x '), ...rates(middle, flops, bytes), percent(bound / middle), by, null]);
    data.ops.push({ op, shape, seconds, flops, bytes });
  };
  const againstBare = (full: string, shape: number[]): void => {
    const op = full.replace('_against_bare', '');
    const { seconds, rival, flops, bytes } = timeOp(full, shape, options);
    const ours = median(seconds);
    const share = median(rival) / ours;
    const bare = `${(100 * share).toFixed(1)} %`;
    report.rows.push([op, shape.join(' x '), ...rates(ours, flops, bytes), null, null, bare]);
    data.againstBare.push({ op, shape, seconds, rival, share, flops, bytes });
  };
  const cases = [...CASES.map((one) => labelled(one, alone)), ...AGAINST_BARE.map((one) => labelled(one, againstBare))];
  await runCases(report, cases, options);
  return report;
}

const rates = (seconds: number, flops: number, bytes: number): string[] => [
  digits(seconds * 1e6),
  digits(flops / seconds / 1e12),
  digits(bytes / seconds / 1e12),
];
