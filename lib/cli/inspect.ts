// exit-rl inspect: what a model folder or a run's model is, and whether it fits here.
import type { CommandModule } from 'yargs';
import { UsageError, UserError } from '../errors.ts';
import { formatTable } from '../evaluation/table.ts';
import { type AdapterFacts, inspectModel, type ModelFacts } from '../huggingface/inspect.ts';
import {
  deviceMemory,
  machineMemory,
  type MemoryFacts,
  type MemoryNeed,
  MOST,
  memoryFacts,
} from '../huggingface/memory.ts';
import type { Addon, MemoryRequest, PlanOptions } from '../native/addon.ts';
import { oneModel } from './checkpoints.ts';
import { memoryRequest } from './dry-run.ts';
import { openEnvironment, withBase } from '../model.ts';
import { loadEngine } from './engine.ts';
import { BASE, DEVICE, declare, onDevice, wholeNumber } from './options.ts';

/** Options that change the request; what is not given is as the run is configured, or as in `STANDARD`. */
const SIZES = {
  prompts: ['prompts', 'Prompts of a step (1)'],
  samples: ['samplesPerPrompt', 'Samples per prompt (8)'],
  'prompt-tokens': ['promptTokens', 'Tokens of a prompt (512)'],
  'new-tokens': ['newTokens', 'Tokens of an answer (512)'],
  'micro-batch-tokens': ['microBatchTokens', 'Tokens in one forward and backward pass (4096)'],
} as const satisfies Record<string, readonly [keyof MemoryRequest, string]>;

const STANDARD: MemoryRequest = {
  ...{ prompts: 1, samplesPerPrompt: 8, promptTokens: 512, newTokens: 512, maxRunning: 256, prefillTokens: 2048 },
  ...{ microBatchTokens: 4096, recompute: 'none', reference: false },
};

type Arguments = {
  dir: string;
  step?: string;
  recompute?: string;
  dtype?: string;
  device?: string;
  base?: string;
  tensors?: boolean;
  json?: boolean;
} & {
  [Name in keyof typeof SIZES]?: string;
};

export const inspect: CommandModule<object, Arguments> = {
  command: 'inspect <dir>',
  describe: 'Show what a model folder or the model of a run is, and what of it fits in memory',
  builder: (argv) =>
    declare(
      'inspect',
      argv.positional('dir', { type: 'string', describe: 'Folder of a model, a run, an arm or a checkpoint' }),
      {
        ...Object.fromEntries(
          Object.entries(SIZES).map(([name, [, describe]]) => [name, { type: 'string', requiresArg: true, describe }]),
        ),
        recompute: { type: 'string', requiresArg: true, describe: 'none or block: recompute activations (none)' },
        dtype: { type: 'string', requiresArg: true, describe: 'Computation: float32 or bfloat16 (float32)' },
        step: { type: 'string', requiresArg: true, describe: 'Checkpoint of this step (default: the newest)' },
        ...BASE,
        ...DEVICE,
        tensors: { type: 'boolean', describe: 'List every tensor' },
        json: { type: 'boolean', describe: 'Print JSON' },
      },
      ['dir'],
    ) as never,
  handler: async (args) => {
    const { base = null } = args;
    const { path, config } = oneModel(args.dir, args.step === undefined ? null : wholeNumber('step', args.step));
    const addon = await loadEngine();
    const model = inspectModel(addon, path, base);
    const standard = config === null ? STANDARD : memoryRequest(config, openEnvironment(withBase(config, base)));
    const dtype = precision(args.dtype ?? config?.model.dtype ?? 'float32');
    const { device, machine } = whereItComputes(addon, config?.model.device ?? 'cpu', args.device);
    const options: PlanOptions =
      model.adapter === null ? { dtype, device } : { dtype, device, adapter: model.adapter.config };
    const memory = memoryFacts(addon, model.config, requestOf(args, standard, model), options, machine);
    if (args.json) process.stdout.write(`${JSON.stringify({ ...model, memory: { device, ...memory } })}\n`);
    else process.stdout.write(`${describeModel(model, args.tensors ?? false)}\n\n${describeMemory(device, memory)}\n`);
  },
};

/** A run is looked at on any machine: a device that it was configured for and that is not here is no error, one asked for is. */
function whereItComputes(addon: Addon, configured: string, asked: string | undefined) {
  const { device } = onDevice({ device: configured }, asked);
  try {
    const machine = device === 'cpu' ? null : deviceMemory(addon.doctor(), device);
    if (machine !== null) return { device, machine };
  } catch (error) {
    if (asked !== undefined || !(error instanceof UserError)) throw error;
  }
  return { device: 'cpu', machine: machineMemory() };
}

function precision(text: string): PlanOptions['dtype'] {
  if (text === 'float32' || text === 'bfloat16') return text;
  throw new UsageError(`--dtype ${text}: expected float32 or bfloat16`);
}

function requestOf(args: Arguments, base: MemoryRequest, { context }: ModelFacts): MemoryRequest {
  const given = Object.entries(SIZES).flatMap(([name, [key]]) => {
    const text = args[name as keyof typeof SIZES];
    return text === undefined ? [] : [[key, wholeNumber(name, text, 1)]];
  });
  const { recompute = base.recompute } = args;
  if (recompute !== 'none' && recompute !== 'block') {
    throw new UsageError(`--recompute ${recompute}: expected none or block`);
  }
  const request = { ...base, ...Object.fromEntries(given), recompute } as MemoryRequest;
  const length = request.promptTokens + request.newTokens;
  if (length <= context) return request;
  if (given.length > 0) {
    throw new UsageError(`${length} tokens per sequence are more than the model's ${context} positions`);
  }
  return { ...request, promptTokens: context >> 1, newTokens: context - (context >> 1) };
}

const size = (bytes: number): string => {
  const unit = bytes >= 2 ** 30 ? 'GiB' : bytes >= 2 ** 20 ? 'MiB' : 'KiB';
  return `${(bytes / { GiB: 2 ** 30, MiB: 2 ** 20, KiB: 2 ** 10 }[unit]).toFixed(1)} ${unit}`;
};

const present = (names: readonly string[]): string => (names.length === 0 ? 'none' : names.join(', '));

function describeModel(model: ModelFacts, withTensors: boolean): string {
  const { rope, generation, adapter } = model;
  const { rope_type: kind, rope_theta: base, factor } = rope;
  const rows: [string, string][] = [
    ['folder', model.path],
    ...(adapter === null ? [] : [describeAdapter(adapter)]),
    ['architecture', `${model.architecture} (${model.family})`],
    ['parameters', `${model.parameters}${model.tiedEmbeddings ? ', head tied to the embedding' : ''}`],
    ['layers', `${model.layers} of width ${model.width}, feed-forward ${model.feedForward}`],
    ['attention', `${model.heads} heads of ${model.headWidth}, ${model.kvHeads} for keys and values`],
    ['window', model.window === null ? 'none' : `${model.window} tokens`],
    ['rotary', `${kind}, base ${base}${factor === undefined ? '' : `, factor ${factor}`}`],
    ['vocabulary', String(model.vocabulary)],
    ['context', `${model.context} tokens`],
    ['files', `${present(model.files.map(({ name }) => name))} (${size(model.bytes)})`],
    ...Object.entries(model.types).map(([type, { tensors, parameters, bytes }]): [string, string] => [
      type,
      `${tensors} tensors, ${parameters} numbers, ${size(bytes)}`,
    ]),
    ['tokenizer', present(model.tokenizer)],
    ['chat template', present(model.chatTemplate)],
    ['generation', generation === null ? 'no generation_config.json' : describeGeneration(generation)],
  ];
  const text = rows.map(([name, value]) => `${name.padEnd(14)} ${value}`);
  if (!withTensors) return text.join('\n');
  const tensors = model.tensors.map(({ name, dtype, shape, bytes }) => [name, dtype, shape.join(' x '), size(bytes)]);
  return `${text.join('\n')}\n\n${formatTable(tensors)}`;
}

function describeAdapter({ path, rank, alpha, targets, parameters }: AdapterFacts): [string, string] {
  return [
    'adapter',
    `${path}: rank ${rank}, alpha ${alpha}, ${parameters} parameters on ${[targets].flat().join(', ')}`,
  ];
}

function describeGeneration(generation: NonNullable<ModelFacts['generation']>): string {
  const { temperature, topK, topP, minP, repetitionPenalty, eosTokens, ignored } = generation;
  const filters = [
    ...(topK > 0 ? [`top-k ${topK}`] : []),
    ...(topP < 1 ? [`top-p ${topP}`] : []),
    ...(minP > 0 ? [`min-p ${minP}`] : []),
    ...(repetitionPenalty === 1 ? [] : [`repetition penalty ${repetitionPenalty}`]),
    `end of text ${present(eosTokens.map(String))}`,
    ...(ignored.length === 0 ? [] : [`not followed: ${ignored.join(', ')}`]),
  ];
  return [temperature === 0 ? 'greedy' : `temperature ${temperature}`, ...filters].join(', ');
}

const upTo = (most: number, searched: number): string => (most >= searched ? `${searched} or more` : `at most ${most}`);

function describeMemory(device: string, { machine, inference, training, largest }: MemoryFacts): string {
  const sequences = (request: MemoryRequest): number => request.prompts * request.samplesPerPrompt;
  const row = (name: string, what: string, { plan, fits }: MemoryNeed): string[] => [
    name,
    what,
    size(plan.total),
    fits ? 'fits' : 'does not fit',
  ];
  const { promptTokens, newTokens, microBatchTokens, recompute } = training.request;
  const length = promptTokens + newTokens;
  const table = formatTable([
    row('inference', `${sequences(inference.request)} sequences of ${length} tokens at once`, inference),
    row(
      'training',
      `steps of ${sequences(training.request)} sequences, micro-batches of ${microBatchTokens}, recompute ${recompute}`,
      training,
    ),
  ]);
  return [
    `memory${device === 'cpu' ? '' : ` of ${device}`}: ${size(machine.total)}, ${size(machine.available)} of it free`,
    table,
    `what fits: ${upTo(largest.sequences, MOST.sequences)} sequences at once; micro-batches of ` +
      `${upTo(largest.microBatchTokens, MOST.tokens)} tokens, ` +
      `${upTo(largest.microBatchTokensRecomputed, MOST.tokens)} with recompute block`,
  ].join('\n');
}
