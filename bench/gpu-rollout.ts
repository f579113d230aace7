// Generation with the shape of Qwen3-0.6B on a card, against the time that reading weights, keys and values takes.
import { promptBatch } from '../lib/batch/supervised.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { cardRates } from './gpu-ops.ts';
import { timed } from './support/contest.ts';
import { addon } from './support/engine.ts';
import { kvBytes, PUBLISHED, productParameters, publishedConfig } from './support/gpu-models.ts';
import { median } from './support/median.ts';
import { randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';
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
  const rates = cardRates(options);
  const shape = PUBLISHED['Qwen3-0.6B'];
  const rows: Cell[][] = [];
  const data: Record<string, object> = {};
  for (const exact of [false, true]) {
    const model = await addon.createModel(publishedConfig(shape, 2048), 1, {
      dtype: 'bfloat16',
      device: options.device,
      exact,
    });
    for (const [name, work] of Object.entries(WORKLOADS)) {
      if (options.only !== null && !name.includes(options.only)) continue;
      const prompts = work.prompts.map((n) => randomSequences(1, n, shape.vocabulary)[0]!);
      const batch = describeBatch(promptBatch(prompts));
      const settings = sampling({ samplesPerPrompt: work.samples, newTokens: work.newTokens, seed: 1 });
      const seconds: number[] = [];
      for (let i = -1; i < Math.min(3, options.repeats); i++) {
        const one = await timed(async () => addon.release((await model.generate(batch, settings)).columns.buffer));
        if (i >= 0) seconds.push(one);
      }
      const limit = leastSeconds(work);
      const tokens = work.prompts.length * work.samples * work.newTokens;
      const middle = median(seconds);
      rows.push([
        name,
        exact ? 'exact' : 'default',
        Math.round(tokens / middle),
        `${Math.round((100 * limit) / middle)} %`,
        digits(middle),
      ]);
      data[`${name}, ${exact ? 'exact' : 'default'}`] = { seconds, limit, tokens };
    }
    model.close();
  }

  /** Prompts at the rate of products; each step reads the weights, every sequence's own keys and values, and a group's prompt once. */
  function leastSeconds({ prompts, samples, newTokens }: Workload): number {
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

  const notes = ['Qwen3-0.6B shapes, bf16, random weights, temperature 1, log-probabilities recorded.'];
  const columns = ['workload', 'mode', 'tokens/s', 'of the limit', 'seconds'];
  return { name: 'gpu-rollout', title: 'Generation on a card', columns, rows, notes, data: { rates, workloads: data } };
}
