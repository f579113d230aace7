// A stand-in for the native model where a test is about the loop and not about learning: it samples symbols at random
// (repeatably) and counts what it is asked to do.
import type {
  ColumnDescription,
  GenerateResult,
  GenerateSettings,
  NativeModel,
  TrainMetrics,
} from '../../lib/native/addon.ts';
import { Random } from '../../lib/rng.ts';
import { mean } from '../../lib/statistics.ts';

const METRICS: TrainMetrics = {
  ...{ loss: 0, tokens: 1, microBatches: 1, ratioMean: 1, ratioMin: 1, ratioMax: 1, klK1: 0, klK2: 0, klK3: 0 },
  ...{ refKlK1: 0, refKlK2: 0, refKlK3: 0, clippedLow: 0, clippedHigh: 0, below: 0, above: 0 },
  ...{ entropy: 0, importance: 1, importanceDropped: 0, mismatch: 0, mismatchMean: 0, mismatchK3: 0 },
};

export class FakeModel {
  /** Token ids are drawn from [first, first + count). */
  readonly first: number;
  readonly count: number;
  /** One number stands for the weights; it moves with the advantages and changes what is sampled. */
  weight = 0;
  readonly batches: ColumnDescription[] = [];
  hasReference = false;

  constructor(first: number, count: number) {
    this.first = first;
    this.count = count;
  }

  async generate(prompts: ColumnDescription, settings: GenerateSettings): Promise<GenerateResult> {
    const { offsets, values } = listOf(prompts, 'tokens');
    const rows: number[][] = [];
    for (let i = 0; i < prompts.length * settings.samplesPerPrompt; i++) {
      const p = Math.floor(i / settings.samplesPerPrompt);
      const random = new Random(settings.seed, settings.firstSequence + i, this.weight);
      const answer = Array.from({ length: settings.maxNewTokens }, () => this.first + random.below(this.count));
      rows.push([...values.subarray(offsets[p]!, offsets[p + 1]!), ...answer]);
    }
    const stats = {
      reusedTokens: 0,
      prefillTokens: 0,
      decodeSteps: 0,
      generatedTokens: 0,
      preemptions: 0,
      peakPages: 0,
      pages: 0,
    };
    // The last token and the mean of all tokens.
    const embeddings = Float32Array.from(rows.flatMap((row) => [row.at(-1)!, mean(row)]));
    return { columns: block(rows, settings.maxNewTokens), embeddings: settings.embed ? embeddings : null, stats };
  }

  async accumulate(batch: ColumnDescription): Promise<TrainMetrics> {
    this.batches.push(batch);
    const advantage = batch.children.find(({ name }) => name === 'advantage')!.buffers.at(-1) as Float32Array;
    this.weight =
      Math.round(this.weight + advantage.reduce((sum, a, i) => sum + 1000 * Math.abs(a) * (i + 1), 0)) % 1e9;
    return METRICS;
  }

  async update(): Promise<{ gradNorm: number; clipFactor: number; step: number }> {
    return { gradNorm: 1, clipFactor: 1, step: this.batches.length };
  }

  asNative(): NativeModel {
    return this as unknown as NativeModel;
  }
}

function listOf(batch: ColumnDescription, name: string): { offsets: Int32Array; values: Int32Array } {
  const column = batch.children.find((child) => child.name === name)!;
  return { offsets: column.buffers[1] as Int32Array, values: column.children[0]!.buffers[1] as Int32Array };
}

/** One block of native columns, as the sampler returns it. */
function block(rows: readonly number[][], newTokens: number): GenerateResult['columns'] {
  const total = rows.reduce((sum, row) => sum + row.length, 0);
  const buffer = new ArrayBuffer(
    4 * (rows.length + 1) + 12 * total + 4 * rows.length + rows.length + Math.ceil(total / 8),
  );
  let end = 0;
  const place = (bytes: number): number => {
    end += bytes;
    return end - bytes;
  };
  const offsetsByteOffset = place(4 * (rows.length + 1));
  const lists = ['tokens', 'logprob', 'raw_logprob'].map((name, i) => ({
    ...{ name, format: i === 0 ? ('i' as const) : ('f' as const), list: true, length: total },
    byteOffset: place(4 * total),
  }));
  const lengths = {
    name: 'prompt_length',
    format: 'i' as const,
    list: false,
    byteOffset: place(4 * rows.length),
    length: rows.length,
  };
  const reasons = {
    name: 'finish_reason',
    format: 'c' as const,
    list: false,
    byteOffset: place(rows.length),
    length: rows.length,
  };
  const mask = {
    name: 'loss_mask',
    format: 'b' as const,
    list: true,
    byteOffset: place(Math.ceil(total / 8)),
    length: total,
  };
  const offsets = new Int32Array(buffer, offsetsByteOffset, rows.length + 1);
  const tokens = new Int32Array(buffer, lists[0]!.byteOffset, total);
  const bits = new Uint8Array(buffer, mask.byteOffset, Math.ceil(total / 8));
  for (const [i, row] of rows.entries()) {
    offsets[i + 1] = offsets[i]! + row.length;
    tokens.set(row, offsets[i]!);
    for (let t = offsets[i + 1]! - newTokens; t < offsets[i + 1]!; t++) bits[t >> 3]! |= 1 << (t & 7);
  }
  new Int32Array(buffer, lengths.byteOffset, rows.length).set(rows.map((row) => row.length - newTokens));
  new Int8Array(buffer, reasons.byteOffset, rows.length).fill(2);
  return { buffer, rows: rows.length, offsetsByteOffset, columns: [...lists, lengths, reasons, mask] };
}
