// Batched sampling: groups of samples that share a prompt, against transformers and against plain PyTorch with a cache.
import { promptBatch } from '../lib/batch/supervised.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { busyNote } from './support/busy.ts';
import { CONTEST_COLUMNS, type Contest, contest, contestRows, timed } from './support/contest.ts';
import { addon, createModel, OURS, version } from './support/engine.ts';
import { MODELS, randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import type { Cell, Report } from './support/report.ts';
import { sampling } from './support/sampling.ts';

const SHAPE = { samplesPerPrompt: 8, promptTokens: 64, newTokens: 64 };

export async function generate(options: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: Record<string, Contest> = {};
  for (const sequences of [64, 256]) {
    const label = `4.3M parameters, ${sequences} sequences`;
    if (options.only !== null && !label.includes(options.only)) continue;
    const shape = MODELS['4.3M'];
    const prompts = sequences / SHAPE.samplesPerPrompt;
    const model = await createModel(shape, options);
    const batch = describeBatch(promptBatch(randomSequences(prompts, SHAPE.promptTokens, shape.vocabulary)));
    let seed = 0;
    const sample = async (): Promise<void> => {
      const { columns } = await model.generate(batch, sampling({ ...SHAPE, seed: seed++ }));
      addon.release(columns.buffer);
    };
    const settings = { threads: options.threads, model: shape, prompts, ...SHAPE };
    const result = await contest(
      { name: OURS, version: version(options), run: () => timed(sample) },
      [
        ['transformers generate', 'generate.py', { ...settings, library: 'transformers' }],
        ['plain PyTorch, KV cache', 'generate.py', { ...settings, library: 'torch' }],
      ],
      options,
    );
    model.close();
    rows.push(...contestRows(label, result));
    data[label] = result;
  }
  const notes = [
    `${options.dtype}, temperature 1; groups of 8 share a 64-token prompt, 64 new tokens each; log-probabilities recorded.`,
    ...busyNote(...Object.values(data).map((result) => result.busy)),
  ];
  return { name: 'generate', title: 'Batched generation', columns: CONTEST_COLUMNS, rows, notes, data };
}
