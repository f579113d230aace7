// A training step of a LoRA adapter against one of all weights, time and memory, and against peft.
import { adapterConfig } from '../lib/model.ts';
import type { NativeModel } from '../lib/native/addon.ts';
import { busyNote } from './support/busy.ts';
import { CONTEST_COLUMNS, type Contest, contest, contestRows, type Entrant } from './support/contest.ts';
import { addon, createModel, OURS, version } from './support/engine.ts';
import { MODELS, type ModelName } from './support/models.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';
import { LENGTH, supervisedStep, TOKENS } from './train.ts';

const RANK = 16;
const ADAPTER = { rank: RANK, alpha: 2 * RANK, rslora: false, layers: null, dropout: 0 } as const;
const SIZES: readonly ModelName[] = ['4.3M', '124M'];

/** A model, what a step of it is called and takes, and the bytes it holds afterwards. */
interface Trained {
  readonly model: NativeModel;
  readonly entrant: Entrant;
  readonly trained: number;
  readonly bytes: number;
}

async function open(
  name: string,
  size: ModelName,
  targets: string | string[] | null,
  options: BenchOptions,
): Promise<Trained> {
  const before = addon.doctor().bufferBytes;
  const model = await createModel(MODELS[size], options);
  if (targets !== null) await model.createAdapter(adapterConfig({ ...ADAPTER, targets }), 1);
  const run = supervisedStep(model, size, options);
  await run();
  const trained = model.adapter?.parameterCount ?? model.parameterCount;
  const bytes = addon.doctor().bufferBytes - before;
  return { model, entrant: { name, version: version(options), run }, trained, bytes };
}

export async function lora(options: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const notes: string[] = [];
  const data: Record<string, Contest & { memory: object[] }> = {};
  for (const size of SIZES) {
    const label = `${size} parameters, ${TOKENS[size]} tokens`;
    if (options.only !== null && !label.includes(options.only)) continue;
    const few = ['q_proj', 'v_proj'];
    const ours = [
      await open(`${OURS}, LoRA on all layers`, size, 'all-linear', options),
      await open(`${OURS}, LoRA on q, v`, size, few, options),
      await open(`${OURS}, all weights`, size, null, options),
    ];
    const shape = { model: MODELS[size], sequences: TOKENS[size] / LENGTH, length: LENGTH };
    const settings = { threads: options.threads, rank: RANK, ...shape };
    const [first, ...also] = ours.map(({ entrant }) => entrant);
    const result = await contest(
      first!,
      [
        ['peft, all layers', 'lora_step.py', { ...settings, targets: 'all-linear' }],
        ['peft, q, v', 'lora_step.py', { ...settings, targets: few }],
      ],
      options,
      also,
    );
    const memory = ours.map(({ entrant: { name }, trained, bytes }) => ({ name, trained, bytes }));
    const held = memory.map(
      ({ name, trained, bytes }) =>
        `${name.slice(OURS.length + 2)}: ${trained} trained, ${digits(bytes / 2 ** 20)} MiB`,
    );
    notes.push(`${label}: ${held.join('; ')}.`);
    for (const { model } of ours) model.close();
    rows.push(...contestRows(label, result));
    data[label] = { ...result, memory };
  }
  notes.push(
    `fp32; rank ${RANK}; sequences of ${LENGTH} tokens; forward, backward, clipping, AdamW. Memory: weights, packed copy,`,
    'gradients, moments and activations.',
    ...busyNote(...Object.values(data).map((result) => result.busy)),
  );
  return { name: 'lora', title: 'Training step of a LoRA adapter', columns: CONTEST_COLUMNS, rows, notes, data };
}
