// Generation with the shape of Qwen3-0.6B on a card, against the time that reading weights, keys and values takes.
import { promptBatch } from '../lib/batch/supervised.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { openReport, runCases } from './support/cases.ts';
import { timed } from './support/contest.ts';
import { cardRates, sized } from './support/device-op.ts';
import { addon } from './support/engine.ts';
import {
  type CardRates,
  kvBytes,
  modelShape,
  type PublishedShape,
  productParameters,
  publishedConfig,
} from './support/gpu-models.ts';
import { median } from './support/median.ts';
import { randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { digits, percent, type Report } from './support/report.ts';
import { sampling } from './support/sampling.ts';

interface Workload {
  readonly prompts: readonly number[];
  readonly samples: number;
  readonly newTokens: number;
}

/** Lengths from 100 to 1024, the same in every run. */
const spread = (count: number): number[] => Array.from({ length: count }, (_, i) => 100 + ((i * 389) % 925));

const WORKLOADS: Readonly<Record<string, Workload>> = {
  '256 prompts of 100 to 1024 tokens': { prompts: spread(256), samples: 1, newTokens: 512 },
  '16 groups of 16, prompts of 512 tokens': { prompts: Array<number>(16).fill(512), samples: 16, newTokens: 256 },
  'one sequence': { prompts: [128], samples: 1, newTokens: 512 },
};

export async function gpuRollout(options: BenchOptions): Promise<Report> {
  const shape = modelShape('Qwen3-0.6B', options);
  const columns = ['workload', 'mode', 'tokens/s', 'of the limit', 'seconds'];
  const data = { rates: {} as CardRates, workloads: {} as Record<string, object> };
  const report = openReport('gpu-rollout', 'Generation on a card', columns, data);
  report.notes.push('Qwen3-0.6B shapes, bf16, random weights, temperature 1, log-probabilities recorded.');
  const rates = cardRates(report, options);
  data.rates = rates;

  const one = async (model: NativeModel, name: string, full: Workload, mode: string): Promise<void> => {
    const work = reduced(full, options);
    const prompts = work.prompts.map((n) => randomSequences(1, n, shape.vocabulary)[0]!);
    const batch = describeBatch(promptBatch(prompts));
    const settings = sampling({ samplesPerPrompt: work.samples, newTokens: work.newTokens, seed: 1 });
    const seconds: number[] = [];
    for (let i = -1; i < Math.min(3, options.repeats); i++) {
      const once = await timed(async () => addon.release((await model.generate(batch, settings)).columns.buffer));
      if (i >= 0) seconds.push(once);
    }
    const limit = leastSeconds(shape, rates, work);
    const tokens = work.prompts.length * work.samples * work.newTokens;
    const middle = median(seconds);
    report.rows.push([name, mode, Math.round(tokens / middle), percent(limit / middle), digits(middle)]);
    data.workloads[`${name}, ${mode}`] = { seconds, limit, tokens };
  };
  for (const mode of ['default', 'exact']) {
    const create = () =>
      addon.createModel(publishedConfig(shape, 2048), 1, {
        dtype: 'bfloat16',
        device: options.device,
        exact: mode === 'exact',
      });
    // By the first case that needs it, so that its failure is that case's.
    let model: NativeModel | undefined;
    const cases = Object.entries(WORKLOADS).map(([name, work]) => ({
      label: `${name}, ${mode}`,
      run: async () => {
        model ??= await create();
        await one(model, name, work, mode);
      },
    }));
    await runCases(report, cases, options);
    model?.close();
  }
  return report;
}

const reduced = ({ prompts, samples, newTokens }: Workload, options: BenchOptions): Workload => ({
  prompts: prompts.slice(0, options.small ? 4 : prompts.length).map((n) => sized(options, n)),
  samples: Math.min(samples, options.small ? 2 : samples),
  newTokens: sized(options, newTokens),
});

/** Prompts at the rate of products; each step reads the weights, every sequence's own keys and values, and a group's prompt once. */
function leastSeconds(shape: PublishedShape, rates: CardRates, { prompts, samples, newTokens }: Workload): number {
  const parameters = productParameters(shape);
  const promptTokens = prompts.reduce((a, b) => a + b, 0);
  const own = (prompts.length * samples * newTokens * (newTokens + 1)) / 2;
  const keys = (promptTokens * newTokens + own) * kvBytes(shape);
  const products = Math.max(
    (2 * parameters) / rates.copy,
    (2 * parameters * prompts.length * samples) / rates.products,
  );
  return (2 * parameters * promptTokens) / rates.products + newTokens * products + keys / rates.copy;
}
