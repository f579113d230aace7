// One supervised training step, forward, backward and AdamW, against PyTorch eager.
import { exampleBatch } from '../lib/batch/supervised.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { promptAndAnswer } from '../lib/sft/example.ts';
import { busyNote } from './support/busy.ts';
import { CONTEST_COLUMNS, type Contest, contest, contestRows, timed } from './support/contest.ts';
import { ADAMW, createModel, LOSS, OURS, version } from './support/engine.ts';
import { MODELS, type ModelName, randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import type { Cell, Report } from './support/report.ts';

export const LENGTH = 128;
export const TOKENS: Record<ModelName, number> = { '135k': 4096, '4.3M': 8192, '124M': 1024 };

/** What takes and times one step of a model on random sequences. */
export function supervisedStep(model: NativeModel, name: ModelName, options: BenchOptions): () => Promise<number> {
  const sequences = randomSequences(TOKENS[name] / LENGTH, LENGTH, MODELS[name].vocabulary);
  const batch = describeBatch(exampleBatch(sequences.map((s) => promptAndAnswer(s.subarray(0, 1), s.subarray(1)))));
  const train = { microBatchTokens: options.microBatchTokens, recompute: 'none' } as const;
  return () =>
    timed(async () => {
      await model.accumulate(batch, { ...LOSS, loss: 'nll' }, train);
      await model.update(ADAMW);
    });
}

export async function train(options: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: Record<string, Contest> = {};
  for (const [name, tokens] of Object.entries(TOKENS) as [ModelName, number][]) {
    const label = `${name} parameters, ${tokens} tokens`;
    if (options.only !== null && !label.includes(options.only)) continue;
    const shape = MODELS[name];
    const model = await createModel(shape, options);
    const ours = { name: OURS, version: version(options), run: supervisedStep(model, name, options) };
    const length = { sequences: tokens / LENGTH, length: LENGTH };
    const settings = { threads: options.threads, library: 'torch', model: shape, ...length };
    const peers = ['float32', ...(options.dtype === 'bfloat16' ? ['bfloat16'] : [])].map((dtype) => {
      const name = dtype === 'bfloat16' ? 'PyTorch eager, bfloat16 autocast' : 'PyTorch eager';
      return [name, 'train_step.py', { ...settings, dtype }] as const;
    });
    const result = await contest(ours, peers, options);
    model.close();
    rows.push(...contestRows(label, result));
    data[label] = result;
  }
  const notes = [
    `${options.dtype}; sequences of 128 tokens; forward, backward, clipping, AdamW; master weights and moments in float32.`,
    ...busyNote(...Object.values(data).map((result) => result.busy)),
  ];
  return { name: 'train', title: 'Training step', columns: CONTEST_COLUMNS, rows, notes, data };
}
