// Self-iteration as in evaluation: K revisions of an answer to a long request, with cache pages kept from step to step and
// with every prompt computed anew. The answers are the same.
import { promptBatch } from '../lib/batch/supervised.ts';
import { Sampled } from '../lib/batch/sampled.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { busyNote } from './support/busy.ts';
import { interleave, timed } from './support/contest.ts';
import { addon, createModel } from './support/engine.ts';
import { median } from './support/median.ts';
import { MODELS, randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';
import { sampling } from './support/sampling.ts';

const SHAPE = { sequences: 16, requestTokens: 448, newTokens: 64, steps: 8 };

export async function revise(options: BenchOptions): Promise<Report> {
  const shape = MODELS['4.3M'];
  const model = await createModel(shape, options);
  const requests = randomSequences(SHAPE.sequences, SHAPE.requestTokens, shape.vocabulary);
  const rows: Cell[][] = [];
  const data: Record<string, number[]> = {};
  const entrants = [true, false].map((keepPrefixes) => ({
    name: keepPrefixes ? 'pages kept' : 'computed anew',
    run: () => timed(() => chain(model, requests, keepPrefixes)),
  }));
  const rowsOf = [await chain(model, requests, true), await chain(model, requests, false)];
  const { seconds, busy } = await interleave(entrants, options.repeats);
  const own = median(seconds[0]!);
  for (const [e, { name }] of entrants.entries()) {
    const middle = median(seconds[e]!);
    rows.push([name, digits(middle), digits(Math.min(...seconds[e]!)), `${(middle / own).toFixed(2)} x`, rowsOf[e]!]);
    data[name] = seconds[e]!;
  }
  model.close();
  return {
    name: 'revise',
    title: `${SHAPE.steps} revisions of ${SHAPE.sequences} answers of ${SHAPE.newTokens} tokens to ${SHAPE.requestTokens}-token requests, 4.3M parameters`,
    columns: ['who', 'median s', 'fastest s', 'times ours', 'prompt rows computed'],
    rows,
    notes: busyNote(busy),
    data,
  };
}

/** Answer and revisions; returns the prompt rows that were computed. */
async function chain(model: NativeModel, requests: readonly Int32Array[], keepPrefixes: boolean): Promise<number> {
  let prompts = requests;
  let prefill = 0;
  for (let k = 0; k <= SHAPE.steps; k++) {
    const settings = { ...sampling({ samplesPerPrompt: 1, newTokens: SHAPE.newTokens, seed: k }), keepPrefixes };
    const result = await model.generate(describeBatch(promptBatch(prompts)), settings);
    prefill += result.stats.prefillTokens;
    const sampled = Sampled.of(result);
    prompts = requests.map((request, row) => Int32Array.from([...request, ...sampled.completion(row), 1]));
    sampled.release(addon);
  }
  await model.update(STAND_STILL); // new weights: the next chain starts without pages
  return prefill;
}

const STAND_STILL = {
  lr: 0,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0,
  decay: 'none',
  maxGradNorm: 0,
} as const;
