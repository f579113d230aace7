// Training steps of published shapes on a card, against the sum of the limits of their phases.
import { exampleBatch } from '../lib/batch/supervised.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { promptAndAnswer } from '../lib/sft/example.ts';
import { openReport, runCases } from './support/cases.ts';
import { timed } from './support/contest.ts';
import { cardRates, sized } from './support/device-op.ts';
import { ADAMW, addon, LOSS } from './support/engine.ts';
import { modelShape, PUBLISHED, type PublishedName, publishedConfig, trainingRoofline } from './support/gpu-models.ts';
import { median } from './support/median.ts';
import { randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { digits, percent, type Report } from './support/report.ts';

const LENGTH = 1024;
const SEQUENCES = 32;

type Batch = ReturnType<typeof describeBatch>;

export async function gpuTrain(options: BenchOptions): Promise<Report> {
  const length = sized(options, LENGTH);
  const count = options.small ? 8 : SEQUENCES;
  const tokens = count * length;
  const columns = ['model', 'micro-batch', 'tokens/s', 'of the limit', 'passes ms', 'update ms', 'update of its limit'];
  const data = { rates: {}, models: {} as Record<string, object> };
  const report = openReport('gpu-train', 'Training on a card', columns, data);
  report.notes.push(
    `bf16, sequences of ${length} tokens, ${tokens} tokens an update, random weights. Micro-batches of ${options.microBatchTokens} tokens, halved until they fit.`,
    'Limit: the sum over the phases, each at the rate this card reached in this run (products, our attention, copies).',
  );
  const rates = cardRates(report, options);
  data.rates = rates;

  const one = async (name: PublishedName): Promise<void> => {
    const shape = modelShape(name, options);
    const sequences = randomSequences(count, length, shape.vocabulary);
    const batch = describeBatch(exampleBatch(sequences.map((s) => promptAndAnswer(s.subarray(0, 1), s.subarray(1)))));
    const measured = await largestSteps(
      Math.min(tokens, options.microBatchTokens),
      length,
      async (microBatchTokens) => {
        const settings = { dtype: 'bfloat16', device: options.device } as const;
        const model = await addon.createModel(publishedConfig(shape, length), 1, settings);
        try {
          return await steps(model, batch, microBatchTokens, options);
        } finally {
          model.close();
        }
      },
    );
    const { passes, updates, microBatchTokens } = measured;
    const roofline = trainingRoofline(shape, rates, length, tokens);
    const limit = Object.values(roofline).reduce((a, b) => a + b, 0);
    const seconds = median(passes) + median(updates);
    report.rows.push([
      name,
      microBatchTokens,
      Math.round(tokens / seconds),
      percent((limit * tokens) / seconds),
      digits(median(passes) * 1e3),
      digits(median(updates) * 1e3),
      percent((roofline['optimizer']! * tokens) / median(updates)),
    ]);
    data.models[name] = { passes, updates, microBatchTokens, roofline };
  };
  const names = Object.keys(PUBLISHED) as PublishedName[];
  await runCases(
    report,
    names.map((name) => ({ label: name, run: () => one(name) })),
    options,
  );
  return report;
}

interface Steps {
  readonly passes: number[];
  readonly updates: number[];
  readonly microBatchTokens: number;
}

/** Steps with micro-batches as large as the card's memory allows; each try is a model of its own, with nothing of the one before. */
async function largestSteps(most: number, least: number, run: (tokens: number) => Promise<Steps>): Promise<Steps> {
  for (let tokens = most; ; tokens = Math.floor(tokens / 2)) {
    try {
      return await run(tokens);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_OUT_OF_MEMORY' || tokens / 2 < least) throw error;
    }
  }
}

async function steps(
  model: NativeModel,
  batch: Batch,
  microBatchTokens: number,
  options: BenchOptions,
): Promise<Steps> {
  const passes: number[] = [];
  const updates: number[] = [];
  for (let i = -1; i < options.repeats; i++) {
    const pass = await timed(() =>
      model.accumulate(batch, { ...LOSS, loss: 'nll' }, { microBatchTokens, recompute: 'none' }),
    );
    const update = await timed(() => model.update(ADAMW));
    if (i < 0) continue;
    passes.push(pass);
    updates.push(update);
  }
  return { passes, updates, microBatchTokens };
}
