// Ops, generation and training steps on a card beside PyTorch's, in interleaved contests; skipped where PyTorch is not installed.
// One process of PyTorch lives at a time, beside ours: both share the card's memory. Cheap cases come first.
import { exampleBatch, promptBatch } from '../lib/batch/supervised.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { promptAndAnswer } from '../lib/sft/example.ts';
import { isWanted, type OpenReport, openReport, runCases } from './support/cases.ts';
import {
  CONTEST_COLUMNS,
  type Contest,
  compete,
  contest,
  contestRows,
  entrant,
  timed,
  withPeers,
} from './support/contest.ts';
import { shaped, sized, timeOp, warmUp } from './support/device-op.ts';
import { ADAMW, addon, LOSS } from './support/engine.ts';
import { modelShape, type PublishedName, publishedConfig } from './support/gpu-models.ts';
import { median } from './support/median.ts';
import { randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import type { Report } from './support/report.ts';
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
/** Windows of a turn, as in bench/peers/gpu.py. */
const WINDOWS = 10;
const TRAINED: readonly PublishedName[] = ['Qwen2.5-0.5B', 'Qwen3-0.6B'];
const TRAINING = { length: 1024, sequences: 32 };
/** Sequences of a micro-batch, of both: PyTorch keeps all of its logits, several times over. */
const MICRO_BATCH = 8;
const GENERATED: PublishedName = 'Qwen3-0.6B';
const WORKLOADS = {
  'one sequence': { prompts: 1, samples: 1, promptTokens: 128, newTokens: 256 },
  '16 groups of 16': { prompts: 16, samples: 16, promptTokens: 512, newTokens: 256 },
} as const;

type Data = Record<string, Contest['measured']>;

export async function gpuPeers(options: BenchOptions): Promise<Report> {
  const data: Data = {};
  const report = openReport('gpu-peers', 'Beside PyTorch on a card', CONTEST_COLUMNS, data);
  const { length, sequences } = TRAINING;
  report.notes.push(
    `Training: ${sequences * length} tokens in sequences of ${length}, micro-batches of ${MICRO_BATCH * length} tokens on both sides; PyTorch: SDPA, autocast to bfloat16, fused AdamW.`,
    'Ops: products by cuBLAS, attention by SDPA (flash attention or cuDNN), forward and backward each on its own. Both sides: a quarter of a second of work, then the median of ten windows of 25 ms.',
    'Generation: Qwen3-0.6B shapes, bf16; PyTorch: a static cache, the decoding step captured as a CUDA graph.',
  );
  const add = (label: string, run: () => Promise<Contest>) => ({
    label,
    run: async () => {
      const result = await run();
      report.rows.push(...contestRows(label, result));
      data[label] = result.measured;
      for (const { name, missing } of result.measured)
        if (missing !== null) report.notMeasured.push({ label: `${label}, ${name}`, reason: missing });
    },
  });
  await ops(report, add, options);
  const cases = [
    ...Object.entries(WORKLOADS).map(([name, work]) => add(`generate, ${name}`, () => generated(work, options))),
    ...TRAINED.map((name) => add(`train ${name}`, () => trained(name, false, options))),
    ...TRAINED.map((name) => add(`train ${name}, compiled`, () => trained(name, true, options))),
  ];
  await runCases(report, cases, options);
  return report;
}

/** PyTorch's name of the device. */
const card = ({ device }: BenchOptions): string => (device === 'cpu' ? 'cpu' : device.replace(/^auto$/, 'cuda'));

type Add = (label: string, run: () => Promise<Contest>) => { label: string; run: () => Promise<void> };

/** One process of PyTorch for all. */
async function ops(report: OpenReport, add: Add, options: BenchOptions): Promise<void> {
  const cases = OPS.map(([op, full]) => ({ op, shape: shaped(options, full) }))
    .map((one) => ({ ...one, label: `${one.op} ${one.shape.join(' x ')}` }))
    .filter(({ label }) => isWanted(label, options));
  if (cases.length === 0) return;
  const settings = { what: 'ops', device: card(options), warmUp: warmUp(options) };
  options.progress?.(report, 'starting PyTorch');
  await withPeers([['PyTorch', 'gpu.py', settings]], options, (running, missing) => {
    const besideEach = cases.map(({ op, shape, label }) => {
      const run = async (): Promise<number> =>
        median(timeOp(op, shape, options, { repeats: options.small ? 1 : WINDOWS }).seconds);
      const entrants = [{ name: 'exit-rl', run }, ...running.map((peer) => entrant(peer, { op, shape }))];
      return add(label, () => compete(entrants, missing, options));
    });
    return runCases(report, besideEach, options);
  });
}

/** Runs a contest of a model of ours that is there for its time only. */
async function withModel(
  config: string,
  options: BenchOptions,
  use: (model: NativeModel) => Promise<Contest>,
): Promise<Contest> {
  const model = await addon.createModel(config, 1, { dtype: 'bfloat16', device: options.device });
  try {
    return await use(model);
  } finally {
    model.close();
  }
}

function trained(name: PublishedName, compile: boolean, options: BenchOptions): Promise<Contest> {
  const shape = modelShape(name, options);
  const length = sized(options, TRAINING.length);
  const count = options.small ? 8 : TRAINING.sequences;
  const tokens = count * length;
  const microBatchTokens = Math.min(MICRO_BATCH, count / 2) * length;
  const sequences = randomSequences(count, length, shape.vocabulary);
  const batch = describeBatch(exampleBatch(sequences.map((s) => promptAndAnswer(s.subarray(0, 1), s.subarray(1)))));
  const settings = { what: 'train', model: shape, device: card(options), length, tokens, microBatchTokens, compile };
  return withModel(publishedConfig(shape, length), options, (model) => {
    const ours = async (): Promise<void> => {
      await model.accumulate(batch, { ...LOSS, loss: 'nll' }, { microBatchTokens, recompute: 'none' });
      await model.update(ADAMW);
    };
    const peer = compile ? 'PyTorch, compiled' : 'PyTorch';
    return contest({ name: 'exit-rl', run: () => timed(ours) }, [[peer, 'gpu.py', settings]], options);
  });
}

function generated(work: (typeof WORKLOADS)[keyof typeof WORKLOADS], options: BenchOptions): Promise<Contest> {
  const shape = modelShape(GENERATED, options);
  const [prompts, samples] = [work.prompts, work.samples].map((n) => (options.small ? Math.min(2, n) : n)) as [
    number,
    number,
  ];
  const [promptTokens, newTokens] = [sized(options, work.promptTokens), sized(options, work.newTokens)];
  const batch = describeBatch(promptBatch(randomSequences(prompts, promptTokens, shape.vocabulary)));
  const settings = sampling({ samplesPerPrompt: samples, newTokens, seed: 1 });
  const theirs = { what: 'decode', model: shape, device: card(options), prompts, samples, promptTokens, newTokens };
  return withModel(publishedConfig(shape, promptTokens + newTokens), options, (model) => {
    const ours = async (): Promise<void> => addon.release((await model.generate(batch, settings)).columns.buffer);
    return contest({ name: 'exit-rl', run: () => timed(ours) }, [['PyTorch, CUDA graph', 'gpu.py', theirs]], options);
  });
}
