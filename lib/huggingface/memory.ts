// What a model needs in memory and how much of it fits here.
import { totalmem } from 'node:os';
import { UserError } from '../errors.ts';
import type { Doctor, MemoryPlan, MemoryRequest, PlanOptions } from '../native/addon.ts';

/** Of the machine, or of a device. */
export interface MachineMemory {
  /** Bytes this process may use in all. */
  readonly total: number;
  /** Bytes that nobody uses now. */
  readonly available: number;
}

/** The part of the addon that is asked. */
export interface Planner {
  planModel(config: string, request: MemoryRequest, options?: PlanOptions): MemoryPlan;
}

export interface MemoryNeed {
  readonly request: MemoryRequest;
  readonly plan: MemoryPlan;
  /** In `MachineMemory.total`. */
  readonly fits: boolean;
}

export interface MemoryFacts {
  readonly machine: MachineMemory;
  /** Sampling all sequences of the request at once. */
  readonly inference: MemoryNeed;
  /** A step of training on them. */
  readonly training: MemoryNeed;
  /** The most that fits, everything else as requested; 0: not even one. Searched up to `MOST`. */
  readonly largest: {
    /** Sequences sampled at once. */
    readonly sequences: number;
    /** Tokens of a micro-batch in training, with all activations kept and with blocks recomputed. */
    readonly microBatchTokens: number;
    readonly microBatchTokensRecomputed: number;
  };
}

/** A container's limit counts where there is one. */
export function machineMemory(): MachineMemory {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { total, available: Math.min(total, process.availableMemory()) };
}

/** The memory of the device that a model would be opened on, but for what no plan counts; null: the CPU computes. */
export function deviceMemory({ cuda }: Pick<Doctor, 'cuda'>, device: string): MachineMemory | null {
  if (device === 'cpu') return null;
  const found = cuda.devices[device.includes(':') ? Number(device.split(':')[1]) : 0];
  const note = found === undefined ? cuda.reason || 'there is no such device' : found.note;
  if (found !== undefined && note === '') {
    const { memoryBytes, freeBytes, reserveBytes } = found;
    return { total: memoryBytes - reserveBytes, available: Math.max(0, freeBytes - reserveBytes) };
  }
  if (device === 'auto') return null;
  throw new UserError(`device ${device} cannot be used: ${note}. exit-rl doctor shows more`);
}

/** Plans a request for a model that need not be loaded. */
export function memoryFacts(
  addon: Planner,
  config: string,
  request: MemoryRequest,
  options: PlanOptions = { dtype: 'float32' },
  machine: MachineMemory = machineMemory(),
): MemoryFacts {
  const { evaluated, ...batch } = request;
  const need = (change: Partial<MemoryRequest>): MemoryNeed => {
    const changed = { ...batch, ...change };
    const plan = addon.planModel(config, changed, options);
    return { request: changed, plan, fits: plan.total <= machine.total };
  };
  const sampling = (sequences: number): MemoryNeed =>
    need({ training: false, prompts: sequences, samplesPerPrompt: 1, maxRunning: sequences });
  // A batch as large as one micro-batch, so that its size is what counts.
  const length = request.promptTokens + request.newTokens;
  const microBatch = (recompute: 'none' | 'block') => (tokens: number) =>
    need({
      prompts: Math.max(1, Math.floor(tokens / length)),
      samplesPerPrompt: 1,
      microBatchTokens: tokens,
      recompute,
    });
  return {
    machine,
    inference: sampling(request.prompts * request.samplesPerPrompt),
    training: need({ training: true, ...(evaluated === undefined ? {} : { evaluated }) }),
    largest: {
      sequences: largest((n) => sampling(n).fits, MOST.sequences),
      microBatchTokens: largest((n) => microBatch('none')(n * STEP).fits, MOST.tokens / STEP) * STEP,
      microBatchTokensRecomputed: largest((n) => microBatch('block')(n * STEP).fits, MOST.tokens / STEP) * STEP,
    },
  };
}

/** Where the search for what fits ends. */
export const MOST = { sequences: 1 << 14, tokens: 1 << 19 } as const;
const STEP = 256;

/** The largest n up to `most` for which a condition holds that holds for all smaller ones; 0: for none. */
function largest(holds: (n: number) => boolean, most: number): number {
  let [low, high] = [0, 1];
  while (high <= most && holds(high)) [low, high] = [high, 2 * high];
  high = Math.min(high, most + 1);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
