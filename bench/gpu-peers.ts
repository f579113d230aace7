// Training steps and generation on a card beside PyTorch's, in one interleaved run; skipped where PyTorch is not installed.
import { exampleBatch, promptBatch } from '../lib/batch/supervised.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { promptAndAnswer } from '../lib/sft/example.ts';
import { CONTEST_COLUMNS, type Contest, contest, contestRows, timed } from './support/contest.ts';
import { ADAMW, addon, LOSS } from './support/engine.ts';
import { PUBLISHED, type PublishedName, publishedConfig } from './support/gpu-models.ts';
import { median } from './support/median.ts';
import { randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import type { Cell, Report } from './support/report.ts';
import { sampling } from './support/sampling.ts';

/** Our op, and the shape it takes. */
const OPS: readonly (readonly [op: string, shape: readonly number[]])[] = [
  ['gemm_nt', [8192, 8192, 8192]],
  ['gemm_nt', [32768, 6144, 1024]],
  ['attention_forward', [16, 2048, 16, 8, 128]],
  ['attention_backward', [16, 2048, 16, 8, 128]],
  ['attention_forward', [32, 1024, 14, 2, 64]],
  ['attention_backward', [32, 1024, 14, 2, 64]],
];
const TRAINED: readonly PublishedName[] = ['Qwen2.5-0.5B', 'Qwen3-0.6B'];
const TRAINING = { length: 1024, tokens: 32768 };
/** PyTorch keeps all logits of a micro-batch, several times over. */
const PEER_MICRO_BATCH = 8192;
const GENERATED: PublishedName = 'Qwen3-0.6B';
const WORKLOADS = {
  '16 groups of 16': { prompts: 16, samples: 16, promptTokens: 512, newTokens: 256 },
  'one sequence': { prompts: 1, samples: 1, promptTokens: 128, newTokens: 256 },
} as const;

export async function gpuPeers(options: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: Record<string, Contest['measured']> = {};
  const cases = [
    ...OPS.map(([op, shape]) => [`${op} ${shape.join(' x ')}`, () => opBesidePyTorch(op, shape, options)] as const),
    ...TRAINED.map((name) => [`train ${name}`, () => trained(name, options)] as const),
    ...Object.entries(WORKLOADS).map(([name, work]) => [`generate, ${name}`, () => generated(work, options)] as const),
  ];
  for (const [label, run] of cases) {
    if (options.only !== null && !label.includes(options.only)) continue;
    const result = await run();
    rows.push(...contestRows(label, result));
    data[label] = result.measured;
  }
  const notes = [
    `Training: ${TRAINING.tokens} tokens in sequences of ${TRAINING.length}; PyTorch: SDPA, autocast to bfloat16, fused AdamW.`,
    'Ops: products by cuBLAS, attention by SDPA (flash attention or cuDNN), forward and backward each on its own.',
    'Generation: Qwen3-0.6B shapes, bf16; PyTorch: a static cache, the decoding step captured as a CUDA graph.',
  ];
  return { name: 'gpu-peers', title: 'Beside PyTorch on a card', columns: CONTEST_COLUMNS, rows, notes, data };
}

const card = (options: BenchOptions): string =>
  options.device === 'cpu' ? 'cpu' : options.device.replace(/^auto$/, 'cuda');

function opBesidePyTorch(op: string, shape: readonly number[], options: BenchOptions): Promise<Contest> {
  const ours = async (): Promise<number> =>
    median(addon.benchDevice(options.device, op, shape, { dtype: 'bfloat16' }, 10).seconds);
  const settings = { what: op.replace('_nt', ''), shape, device: card(options) };
  return contest({ name: 'exit-rl', run: ours }, [['PyTorch', 'gpu.py', settings]], options);
}

async function trained(name: PublishedName, options: BenchOptions): Promise<Contest> {
  const shape = PUBLISHED[name];
  const { length, tokens } = TRAINING;
  const model = await addon.createModel(publishedConfig(shape, length), 1, {
    dtype: 'bfloat16',
    device: options.device,
  });
  const sequences = randomSequences(tokens / length, length, shape.vocabulary);
  const batch = describeBatch(exampleBatch(sequences.map((s) => promptAndAnswer(s.subarray(0, 1), s.subarray(1)))));
  const { microBatchTokens } = options;
  const ours = async (): Promise<void> => {
    await model.accumulate(batch, { ...LOSS, loss: 'nll' }, { microBatchTokens, recompute: 'none' });
    await model.update(ADAMW);
  };
  const settings = { what: 'train', model: shape, device: card(options), ...TRAINING };
  try {
    return await contest(
      { name: 'exit-rl', run: () => timed(ours) },
      [
        ['PyTorch, compiled', 'gpu.py', { ...settings, microBatchTokens: PEER_MICRO_BATCH, compile: true }],
        ['PyTorch', 'gpu.py', { ...settings, microBatchTokens: PEER_MICRO_BATCH, compile: false }],
      ],
      options,
    );
  } finally {
    model.close();
  }
}

async function generated(work: (typeof WORKLOADS)[keyof typeof WORKLOADS], options: BenchOptions): Promise<Contest> {
  const shape = PUBLISHED[GENERATED];
  const { prompts, samples, promptTokens, newTokens } = work;
  const positions = promptTokens + newTokens;
  const model = await addon.createModel(publishedConfig(shape, positions), 1, {
    dtype: 'bfloat16',
    device: options.device,
  });
  const batch = describeBatch(promptBatch(randomSequences(prompts, promptTokens, shape.vocabulary)));
  const settings = sampling({ samplesPerPrompt: samples, newTokens, seed: 1 });
  const ours = async (): Promise<void> => addon.release((await model.generate(batch, settings)).columns.buffer);
  try {
    return await contest(
      { name: 'exit-rl', run: () => timed(ours) },
      [['PyTorch, CUDA graph', 'gpu.py', { what: 'decode', model: shape, device: card(options), ...work }]],
      options,
    );
  } finally {
    model.close();
  }
}
