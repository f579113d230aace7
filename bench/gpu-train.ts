// Training steps of published shapes on a card, against the sum of the limits of their phases.
import { exampleBatch } from '../lib/batch/supervised.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { promptAndAnswer } from '../lib/sft/example.ts';
import { cardRates } from './gpu-ops.ts';
import { timed } from './support/contest.ts';
import { ADAMW, addon, LOSS } from './support/engine.ts';
import { PUBLISHED, publishedConfig, trainingRoofline } from './support/gpu-models.ts';
import { median } from './support/median.ts';
import { randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

const LENGTH = 1024;
const TOKENS = 32768;

export async function gpuTrain(options: BenchOptions): Promise<Report> {
  const rates = cardRates(options);
  const rows: Cell[][] = [];
  const data: Record<string, object> = {};
  for (const [name, shape] of Object.entries(PUBLISHED)) {
    if (options.only !== null && !name.includes(options.only)) continue;
    const model = await addon.createModel(publishedConfig(shape, LENGTH), 1, {
      dtype: 'bfloat16',
      device: options.device,
    });
    const sequences = randomSequences(TOKENS / LENGTH, LENGTH, shape.vocabulary);
    const batch = describeBatch(exampleBatch(sequences.map((s) => promptAndAnswer(s.subarray(0, 1), s.subarray(1)))));
    const train = { microBatchTokens: options.microBatchTokens, recompute: 'none' } as const;
    const passes: number[] = [];
    const updates: number[] = [];
    for (let i = -1; i < options.repeats; i++) {
      const pass = await timed(async () => void (await model.accumulate(batch, { ...LOSS, loss: 'nll' }, train)));
      const update = await timed(async () => void (await model.update(ADAMW)));
      if (i < 0) continue;
      passes.push(pass);
      updates.push(update);
    }
    model.close();
    const roofline = trainingRoofline(shape, rates, LENGTH, TOKENS);
    const limit = Object.values(roofline).reduce((a, b) => a + b, 0);
    const seconds = median(passes) + median(updates);
    rows.push([
      name,
      Math.round(TOKENS / seconds),
      `${Math.round((100 * limit * TOKENS) / seconds)} %`,
      digits(median(passes) * 1e3),
      digits(median(updates) * 1e3),
      `${Math.round((100 * roofline['optimizer']! * TOKENS) / median(updates))} %`,
    ]);
    data[name] = { passes, updates, roofline };
  }
  const notes = [
    `bf16, sequences of ${LENGTH} tokens, ${TOKENS} tokens an update, micro-batches of ${options.microBatchTokens}, random weights.`,
    'Limit: the sum over the phases, each at the rate this card reached in this run (products, our attention, copies).',
  ];
  const columns = ['model', 'tokens/s', 'of the limit', 'passes ms', 'update ms', 'update of its limit'];
  return { name: 'gpu-train', title: 'Training on a card', columns, rows, notes, data: { rates, models: data } };
}
