// Batched sampling: groups of samples that share a prompt, against transformers and against plain PyTorch with a cache; and
// separate prompts through a larger model, against llama.cpp.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promptBatch } from '../lib/batch/supervised.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { describeBatch } from '../lib/native/bridge.ts';
import { busyNote } from './support/busy.ts';
import { CONTEST_COLUMNS, type Contest, contest, contestRows, timed } from './support/contest.ts';
import { addon, createModel, OURS, version } from './support/engine.ts';
import { writeGguf } from './support/gguf.ts';
import { MODELS, type ModelName, randomSequences } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { INSTALL_LLAMA, llamaFolder } from './support/peer.ts';
import type { Cell, Report } from './support/report.ts';
import { sampling } from './support/sampling.ts';

const LENGTHS = { promptTokens: 64, newTokens: 64 };

interface Case {
  readonly model: ModelName;
  readonly sequences: number;
  readonly samplesPerPrompt: number;
}

const CASES: readonly Case[] = [
  ...[64, 256].map((sequences): Case => ({ model: '4.3M', sequences, samplesPerPrompt: 8 })),
  ...[1, 8, 64].map((sequences): Case => ({ model: '124M', sequences, samplesPerPrompt: 1 })),
];

type Peers = Parameters<typeof contest>[1];

export async function generate(options: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: Record<string, Contest> = {};
  const notes: string[] = [];
  for (const { model: name, sequences, samplesPerPrompt } of CASES) {
    const label = `${name} parameters, ${sequences} ${sequences === 1 ? 'sequence' : 'sequences'}`;
    if (options.only !== null && !label.includes(options.only)) continue;
    const shape = MODELS[name];
    const prompts = sequences / samplesPerPrompt;
    const model = await createModel(shape, options);
    const batch = describeBatch(promptBatch(randomSequences(prompts, LENGTHS.promptTokens, shape.vocabulary)));
    let seed = 0;
    const sample = async (): Promise<void> => {
      const settings = sampling({ samplesPerPrompt, newTokens: LENGTHS.newTokens, seed: seed++ });
      addon.release((await model.generate(batch, settings)).columns.buffer);
    };
    const ours = { name: OURS, version: version(options), run: () => timed(sample) };
    const settings = { threads: options.threads, model: shape, prompts, samplesPerPrompt, ...LENGTHS };
    const against = (peers: Peers): Promise<Contest> => contest(ours, peers, options);
    const result =
      samplesPerPrompt > 1
        ? await against([
            ['transformers generate', 'generate.py', { ...settings, library: 'transformers' }],
            ['plain PyTorch, KV cache', 'generate.py', { ...settings, library: 'torch' }],
          ])
        : await withLlama(model, name, settings, options, against);
    model.close();
    for (const row of contestRows(label, result)) rows.push(withRate(row, result, sequences * LENGTHS.newTokens));
    data[label] = result;
  }
  if (Object.keys(data).some((label) => label.startsWith('124M')) && options.peers && llamaFolder === null)
    notes.push(`llama.cpp: ${INSTALL_LLAMA}`);
  notes.unshift(
    `${options.dtype}, temperature 1; 64-token prompts, 64 new tokens each; log-probabilities recorded. 4.3M: groups of 8 share a prompt (peers in float32). 124M: separate prompts, llama.cpp with the same weights in ${options.dtype} and its default cache in float16.`,
    ...busyNote(...Object.values(data).map((result) => result.busy)),
  );
  const [first, who, median, fastest, ...rest] = CONTEST_COLUMNS;
  const columns = [first!, who!, median!, fastest!, 'new tokens/s', ...rest];
  return { name: 'generate', title: 'Batched generation', columns, rows, notes, data };
}

/** Tokens per second of the median run, behind the seconds. */
function withRate(row: Cell[], { measured }: Contest, tokens: number): Cell[] {
  const found = measured.find(({ name }) => name === row[1]);
  const rate = found?.missing === null ? Math.round(tokens / found.median) : null;
  return [...row.slice(0, 4), rate, ...row.slice(4)];
}

/** The contest against llama.cpp, which reads the model from a file that goes when it is over. */
async function withLlama(
  model: NativeModel,
  name: ModelName,
  settings: object,
  options: BenchOptions,
  against: (peers: Peers) => Promise<Contest>,
): Promise<Contest> {
  if (!options.peers || llamaFolder === null) return against([]);
  const folder = mkdtempSync(join(tmpdir(), 'exit-rl-bench-'));
  try {
    const file = join(folder, 'model.gguf');
    writeGguf(file, model, MODELS[name], options.dtype);
    const peer = { ...settings, folder: llamaFolder, file };
    return await against([
      ['llama.cpp', 'llama_cpp.mjs', { ...peer, sample: true }],
      ['llama.cpp, nothing sampled', 'llama_cpp.mjs', { ...peer, sample: false }],
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
