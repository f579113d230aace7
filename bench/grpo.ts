// A whole GRPO step (prompts, rollout, rewards, advantages, update) against TRL's GRPOTrainer on the same shapes.
import { Field, Float32, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { groupStd } from '../lib/algorithms/advantages.ts';
import { Sampled } from '../lib/batch/sampled.ts';
import { GENERATED_FIELDS } from '../lib/batch/schema.ts';
import { promptBatch } from '../lib/batch/supervised.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { busyNote } from './support/busy.ts';
import { CONTEST_COLUMNS, contest, contestRows, timed } from './support/contest.ts';
import { ADAMW, addon, createModel, LOSS, OURS, version } from './support/engine.ts';
import { median } from './support/median.ts';
import { MODELS, randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import type { Report } from './support/report.ts';
import { sampling } from './support/sampling.ts';

const SHAPE = { prompts: 8, samplesPerPrompt: 8, promptTokens: 64, newTokens: 64 };

/** The reward of the peer's script: the share of even tokens. */
function reward(completion: Int32Array): number {
  let even = 0;
  for (const token of completion) even += token % 2 === 0 ? 1 : 0;
  return even / completion.length;
}

function learningBatch(sampled: Sampled, advantages: readonly (readonly number[])[]): RecordBatch {
  const fields = [...GENERATED_FIELDS, new Field('advantage', new Float32(), false)];
  const advantage = makeData({ type: new Float32(), data: Float32Array.from(advantages.flat()), nullCount: 0 });
  const children = [...sampled.data, advantage];
  const data = makeData({ type: new Struct(fields), length: sampled.rows, nullCount: 0, children });
  return new RecordBatch(new Schema(fields), data);
}

/** One step on fresh prompts; where its time goes is added to `parts`. */
async function step(
  model: NativeModel,
  prompts: readonly Int32Array[],
  seed: number,
  options: BenchOptions,
  parts: Parts,
) {
  let sampled!: Sampled;
  parts.rollout.push(
    await timed(async () => {
      sampled = Sampled.of(await model.generate(describeBatch(promptBatch(prompts)), sampling({ ...SHAPE, seed })));
    }),
  );
  parts.update.push(
    await timed(async () => {
      const groups = prompts.map((_, p) => {
        const rows = Array.from({ length: SHAPE.samplesPerPrompt }, (_row, i) =>
          sampled.completion(p * SHAPE.samplesPerPrompt + i),
        );
        return { rewards: rows.map(reward), lengths: rows.map((row) => row.length) };
      });
      const batch = describeBatch(learningBatch(sampled, groupStd(groups)));
      const train = { microBatchTokens: options.microBatchTokens, recompute: 'none' } as const;
      const { mismatch } = await model.accumulate(batch, LOSS, train);
      if (mismatch !== 0) throw new Error(`recorded and trained log-probabilities differ by ${mismatch}`);
      await model.update(ADAMW);
    }),
  );
  addon.release(sampled.block);
}

interface Parts {
  readonly rollout: number[];
  readonly update: number[];
}

export async function grpo(options: BenchOptions): Promise<Report> {
  const shape = MODELS['4.3M'];
  const model = await createModel(shape, options);
  const parts: Parts = { rollout: [], update: [] };
  let seed = 0;
  const all = randomSequences(SHAPE.prompts * 64, SHAPE.promptTokens, shape.vocabulary);
  const once = (): Promise<void> => {
    const first = (seed * SHAPE.prompts) % all.length;
    return step(model, all.slice(first, first + SHAPE.prompts), seed++, options, parts);
  };
  const result = await contest(
    { name: OURS, version: version(options), run: () => timed(once) },
    [['TRL GRPOTrainer', 'grpo_step.py', { threads: options.threads, model: shape, ...SHAPE }]],
    options,
  );
  model.close();
  // The first step also claims the memory.
  const middle = (values: readonly number[]): string => median(values.slice(1)).toFixed(3);
  const notes = [
    'fp32; 8 prompts x 8 samples, 64-token prompts, 64 new tokens, no KL term; rollout, rewards and update in the time.',
    `Ours, medians: rollout ${middle(parts.rollout)} s, rewards and update ${middle(parts.update)} s.`,
    ...busyNote(result.busy),
  ];
  const rows = contestRows('4.3M parameters, 64 completions', result);
  return { name: 'grpo', title: 'Whole GRPO step', columns: CONTEST_COLUMNS, rows, notes, data: { ...result, parts } };
}
