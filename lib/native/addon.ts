// The typed face of the C++ addon (native/napi/). Types only: lib/native/load.ts loads the .node file.

/** One Arrow column (or a struct of columns) flattened for the C Data Interface; made by describe() in bridge.ts. */
export interface ColumnDescription {
  readonly format: string;
  readonly name: string;
  readonly length: number;
  readonly nullCount: number;
  readonly buffers: readonly (ArrayBufferView | null)[];
  readonly children: readonly ColumnDescription[];
  readonly dictionary: ColumnDescription | null;
}

/** One native block (a 64-byte aligned slab) and where the columns lie in it. Becomes a RecordBatch without a copy. */
export interface NativeColumns {
  readonly buffer: ArrayBuffer;
  readonly rows: number;
  /** Per column: Arrow format, byte offset and length of values; list columns share `offsets`. */
  readonly columns: readonly {
    readonly name: string;
    /** 'i' int32, 'f' float32, 'c' int8, 'b' bit-packed bool */
    readonly format: 'i' | 'f' | 'c' | 'b';
    readonly list: boolean;
    readonly byteOffset: number;
    readonly length: number;
  }[];
  /** int32 list offsets (rows + 1) shared by every list column. */
  readonly offsetsByteOffset: number;
}

export interface ParameterInfo {
  readonly name: string;
  readonly shape: readonly number[];
  /** F32, BF16 or F16: what the tensor was loaded from and is saved as. */
  readonly dtype: string;
}

/**
 * Types of saved tensors. source: what each was loaded from (unchanged ones come back with the same bits). master: float32
 * with a note of the source's types, for training to go on from. Or one type for all, rounded to nearest even.
 */
export type SaveAs = 'source' | 'master' | 'float32' | 'bfloat16' | 'float16';

/** What memory is asked about: a batch of `prompts * samplesPerPrompt` sequences, sampled and trained on. */
export interface MemoryRequest {
  readonly prompts: number;
  readonly samplesPerPrompt: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly maxRunning: number;
  readonly prefillTokens: number;
  readonly microBatchTokens: number;
  readonly recompute: 'none' | 'block';
  readonly reference: boolean;
  /** false: what sampling needs, alone. Default true. */
  readonly training?: boolean;
  /** As in GenerateSettings. Default false. */
  readonly keepPrefixes?: boolean;
  /** Sequences of an evaluation, each with a prompt of its own: sampled in the same memory, by the same limits, prefixes kept. Default 0. */
  readonly evaluated?: number;
}

/** What the headers of a checkpoint folder say. */
export interface CheckpointFacts {
  /** config.json in both generations of keys. */
  readonly config: string;
  readonly parameterCount: number;
  /** In the order of the model. dtype as in the file: F64, F32, F16 or BF16. */
  readonly parameters: readonly (ParameterInfo & { readonly bytes: number })[];
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

export interface GenerateSettings {
  /** Completions per prompt; they share the prompt's cache pages. */
  readonly samplesPerPrompt: number;
  readonly maxNewTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly stopTokens: readonly number[];
  readonly stopSequences: readonly (readonly number[])[];
  readonly seed: number;
  /** Random numbers of completion i are keyed by (seed, firstSequence + i, position). */
  readonly firstSequence: number;
  /** Pages of 16 tokens in the KV cache; 0: as many as the call can need at once, within maxRunning. */
  readonly pages: number;
  /** Sequences decoded together at most. */
  readonly maxRunning: number;
  /** Prompt tokens processed per step at most. */
  readonly prefillTokens: number;
  /**
   * Leaves full cache pages of prompts and answers for later calls, and reads those that an earlier such call left: what a
   * prompt shares with them at its beginning is not computed again. The same bits; pages of other weights are never read.
   */
  readonly keepPrefixes: boolean;
  /** Return `embeddings`, at the price of one more row per completion. */
  readonly embed: boolean;
}

export interface GenerateResult {
  /** tokens, loss_mask, logprob, raw_logprob (lists over prompt + completion), prompt_length, finish_reason. */
  readonly columns: NativeColumns;
  /** Mean hidden state (rows, C) of every completion, the bits of `embed()`, in a block of its own; null unless asked for. */
  readonly embeddings: Float32Array | null;
  readonly stats: {
    /** Prompt tokens found in pages of earlier calls, not counted as prefill. */
    readonly reusedTokens: number;
    readonly prefillTokens: number;
    readonly decodeSteps: number;
    readonly generatedTokens: number;
    readonly preemptions: number;
    readonly peakPages: number;
    readonly pages: number;
  };
}

export type RatioLevel = 'token' | 'sequence_mean' | 'sequence_sum';
export type LossKind = 'clip' | 'cispo' | 'sapo' | 'nll';
export type Aggregation = 'sequence_mean' | 'token_mean' | 'constant';

/** Settings of the one native policy-gradient loss; formulas in native/ops/pg_loss/pg_loss.h. */
export interface LossSettings {
  readonly ratio: RatioLevel;
  readonly loss: LossKind;
  readonly clipLow: number;
  readonly clipHigh: number;
  /** Upper bound of the ratio in the unclipped term; 0: off. */
  readonly delta: number;
  readonly cispoLow: number;
  readonly cispoHigh: number;
  readonly sapoPositive: number;
  readonly sapoNegative: number;
  readonly aggregation: Aggregation;
  readonly normaliser: number;
  readonly klWeight: number;
  readonly kl: 'k1' | 'k2' | 'k3';
  readonly klCorrected: boolean;
  readonly importance: 'none' | 'token' | 'sequence';
  readonly importanceMode: 'truncate' | 'mask';
  readonly importanceMin: number;
  readonly importanceMax: number;
  readonly entropyWeight: number;
  readonly topEntropy: number;
  /** Divides the logits in training; must be the sampling temperature for an exact on-policy ratio. */
  readonly temperature: number;
}

export interface TrainSettings {
  /** Tokens per micro-batch at most (a longer sequence makes a micro-batch of its own). */
  readonly microBatchTokens: number;
  /** Keep every activation, or only block inputs and recompute the rest in the backward pass. */
  readonly recompute: 'none' | 'block';
}

export interface OptimizerSettings {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** 'matrices': every 2-D weight; 'matrices_without_embeddings'; 'none'. */
  readonly decay: 'matrices' | 'matrices_without_embeddings' | 'none';
  /** Clip factor min(1, maxGradNorm / (norm + 1e-6)); 0: off. */
  readonly maxGradNorm: number;
}

/** Means over trained tokens unless the name says otherwise. */
export interface TrainMetrics {
  readonly loss: number;
  readonly tokens: number;
  readonly microBatches: number;
  readonly ratioMean: number;
  readonly ratioMin: number;
  readonly ratioMax: number;
  /** Approximate KL to the policy that sampled: -log r, (log r)^2 / 2, r - 1 - log r. */
  readonly klK1: number;
  readonly klK2: number;
  readonly klK3: number;
  readonly refKlK1: number;
  readonly refKlK2: number;
  readonly refKlK3: number;
  readonly clippedLow: number;
  readonly clippedHigh: number;
  readonly below: number;
  readonly above: number;
  readonly entropy: number;
  readonly importance: number;
  readonly importanceDropped: number;
  /** Largest |logprob of this pass - logprob recorded while sampling|: 0 on the first epoch. */
  readonly mismatch: number;
  /** Mean of |logprob - recorded logprob|, and the k3 estimate of the KL between the two. */
  readonly mismatchMean: number;
  readonly mismatchK3: number;
}

export interface UpdateMetrics {
  readonly gradNorm: number;
  readonly clipFactor: number;
  readonly step: number;
}

export type WeightSet = 'policy' | 'reference' | 'gradient' | 'exp_avg' | 'exp_avg_sq';

/** A LoRA adapter beside the frozen weights of a model. */
export interface AdapterInfo {
  /** adapter_config.json (peft) as text. */
  readonly config: string;
  /** Names as in adapter_model.safetensors: base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight, ... */
  readonly parameters: readonly ParameterInfo[];
  readonly parameterCount: number;
}

/** A decoder on the CPU: weights, gradients, optimizer state and, once made, a reference copy. Calls run in order. */
export interface NativeModel {
  /** config.json of the model as text, in both generations of keys; its dtype is float32. */
  readonly config: string;
  /** config.json for weights that are saved so. */
  configAs(dtype: SaveAs): string;
  readonly parameters: readonly ParameterInfo[];
  readonly parameterCount: number;
  /** Null: there is none, and all weights are trained. Throws while a call on the model is running. */
  readonly adapter: AdapterInfo | null;
  /** Copies a tensor out or in; names are those of the Hugging Face checkpoint and of the adapter. */
  read(name: string, set: WeightSet): Float32Array;
  write(name: string, set: WeightSet, values: Float32Array): void;
  /** Logits (T, V) and the residual stream after the embedding, each layer and the final norm (L + 2, T, C). */
  forward(tokens: Int32Array, cuSeqlens: Int32Array): Promise<{ logits: Float32Array; hidden: Float32Array }>;
  /** Token-aligned log-probability and entropy (first token of a sequence: 0) of a batch with a `tokens` column. */
  score(
    batch: ColumnDescription,
    options: { temperature: number; weights: 'policy' | 'reference'; microBatchTokens: number },
  ): Promise<{ logprob: Float32Array; entropy: Float32Array }>;
  /**
   * Mean-pooled hidden states (B, C) of each sequence's tokens in `loss_mask`, after the final norm; of all its tokens where
   * the mask has none.
   */
  embed(batch: ColumnDescription, options: { microBatchTokens: number }): Promise<Float32Array>;
  generate(prompts: ColumnDescription, settings: GenerateSettings, cancel?: CancelToken): Promise<GenerateResult>;
  /** Adds the gradient of the loss over the batch. Columns: lib/batch/schema.ts. */
  accumulate(
    batch: ColumnDescription,
    loss: LossSettings,
    train: TrainSettings,
    cancel?: CancelToken,
  ): Promise<TrainMetrics>;
  /** Clips, takes one AdamW step, clears the gradients and repacks the weights. Refuses a non-finite gradient norm. */
  update(settings: OptimizerSettings): Promise<UpdateMetrics>;
  zeroGradients(): void;
  /**
   * reference = alpha * policy + (1 - alpha) * reference; the first call copies. With an adapter only its A and B are kept,
   * and nothing while B is zero: the reference is then the weights without the adapter, as it is before any call.
   */
  updateReference(alpha: number): Promise<void>;
  readonly hasReference: boolean;
  /**
   * Puts a fresh LoRA adapter beside the weights: from now on it alone is trained. `configJson` is an adapter_config.json
   * of the peft package; what it asks for and this engine does not have is refused by name. A is uniform, B zero. Optimizer
   * state and reference of before are gone.
   */
  createAdapter(configJson: string, seed: number): Promise<void>;
  /** The same with the adapter of a peft folder (adapter_config.json, adapter_model.safetensors). */
  loadAdapter(directory: string): Promise<void>;
  /** Writes adapter_model.safetensors. Atomic. */
  saveAdapter(path: string): Promise<void>;
  /** Adds the adapter to the weights (W + scale B A) and drops it, with its optimizer state and reference. */
  mergeAdapter(): Promise<void>;
  /**
   * 16 digits that tell the weights (without an adapter) from others of the same shape: of every bit of them, whatever files
   * and types they were loaded from.
   */
  fingerprint(): Promise<string>;
  /** Optimizer steps taken. */
  step: number;
  /**
   * Writes NAME.safetensors, or shards NAME-00001-of-0000N.safetensors and NAME.safetensors.index.json where that would be
   * larger than maxShardBytes (default: no limit). Resolves to the names of the files. Default types: source. Atomic:
   * temporary files, fsync, rename. Refuses a model with an adapter.
   */
  saveWeights(path: string, options?: { dtype?: SaveAs; maxShardBytes?: number }): Promise<string[]>;
  /** Training state: moments, step, reference. Atomic. */
  saveState(path: string): Promise<void>;
  loadState(path: string): Promise<void>;
  /** Bytes this model will hold, before anything is allocated. */
  plan(request: MemoryRequest): MemoryPlan;
  /** Frees native memory now; later calls throw. */
  close(): void;
}

export interface MemoryPlan {
  readonly total: number;
  readonly segments: readonly { readonly name: string; readonly bytes: number }[];
}

/** What `planModel` says of a model besides its memory. */
export interface PlannedModel extends MemoryPlan {
  readonly parameterCount: number;
  /** Of the adapter, where one is trained. */
  readonly trainedCount: number;
}

export interface CancelToken {
  cancel(): void;
}

export interface Doctor {
  readonly simd: string;
  readonly simdAvailable: readonly string[];
  /** Instruction sets whose self check failed, with the operation. */
  readonly simdFailures: readonly string[];
  /** What multiplies bfloat16: vector (the instruction set above), avx512, amx, or emulated (amx in plain code, for tests). */
  readonly bf16: 'vector' | 'avx512' | 'amx' | 'emulated';
  readonly threads: number;
  readonly compiler: string;
  /** Devices of the CUDA plugin; `reason` says why there is none. */
  readonly cuda: {
    /** Version the plugin was built from; null without one. */
    readonly version: string | null;
    readonly path: string;
    readonly reason: string;
    readonly devices: readonly {
      readonly name: string;
      /** Why it cannot be used; empty where it can. */
      readonly note: string;
      /** Compute capability: 90 for 9.0; 0: emulated on the CPU. */
      readonly compute: number;
      readonly multiprocessors: number;
      readonly memoryBytes: number;
      readonly freeBytes: number;
      /** Of the free ones, room for what no plan counts: recorded graphs, code, the workspace of cuBLASLt. */
      readonly reserveBytes: number;
      /** As CUDA counts them: 13000 for 13.0. */
      readonly driver: number;
      readonly runtime: number;
      /** Which of NVIDIA's libraries were found, and where; whether wgmma is used. */
      readonly libraries: readonly string[];
    }[];
  };
  /** Live native blocks shared with JavaScript. */
  readonly blocks: number;
  /** Bytes of weights, activations and caches, as NativeModel.plan() counts them. */
  readonly bufferBytes: number;
  readonly blockBytes: number;
}

export interface ModelOptions {
  /**
   * What linear layers compute with. bfloat16: both factors rounded, sums in fp32; the weights they read take half the
   * memory. Master weights, gradients, moments and activations are float32 in both.
   */
  readonly dtype: 'float32' | 'bfloat16';
  /**
   * Where the model computes: cpu (the default), cuda, cuda:N, or auto (cuda:0 where it can be used, else cpu). On a device
   * bfloat16 is the type of activations and of the cache, too.
   */
  readonly device?: string;
  /**
   * On a device: sampled log-probabilities are those of training bit for bit, as they always are on the CPU, at the price of
   * slower products and decoding. Default false.
   */
  readonly exact?: boolean;
}

export interface PlanOptions extends ModelOptions {
  /** adapter_config.json (peft) as text, for a model of which an adapter is trained. */
  readonly adapter?: string;
}

export interface Addon {
  /** A fresh model with weights drawn from N(0, initializer_range) by a seeded generator. */
  createModel(configJson: string, seed: number, options?: ModelOptions): Promise<NativeModel>;
  /** A Hugging Face folder: config.json and safetensors (sharded or not). */
  loadModel(directory: string, options?: ModelOptions): Promise<NativeModel>;
  /** Reads the headers of a folder and checks what loadModel checks of them; loads nothing. */
  inspectCheckpoint(directory: string): CheckpointFacts;
  /** NativeModel.plan() for a model that need not exist. */
  planModel(configJson: string, request: MemoryRequest, options?: PlanOptions): PlannedModel;
  CancelToken: new () => CancelToken;
  doctor(): Doctor;
  setThreads(threads: number): void;
  setSimd(name: string): void;
  /** Forces what multiplies bfloat16, as EXIT_RL_BF16 does. Throws for one that is not available here. */
  setBf16(name: string): void;
  /** Rows of a column as native code reads them. For tests of the bridge. */
  inspectColumn(column: ColumnDescription): unknown[];
  /** Detaches a native ArrayBuffer and drops JavaScript's share at once. */
  release(buffer: ArrayBuffer): void;
  /** Reads tensors of one safetensors file (any dtype widened to float32, integers kept). For tests and tools. */
  readSafetensors(
    path: string,
  ): { name: string; dtype: string; shape: number[]; data: Float32Array | Float64Array | Int32Array | Uint8Array }[];
  /** Runs one kernel benchmark natively; the bench/ folder lists the cases. */
  bench(op: string, shape: readonly number[], repeats: number): { seconds: number[]; flops: number; bytes: number };
  /** Times one op of a device, after `warmUp` seconds of it (0.25); native/device/bench.h lists ops and shapes. */
  benchDevice(
    device: string,
    op: string,
    shape: readonly number[],
    options: ModelOptions,
    repeats: number,
    warmUp?: number,
  ): { seconds: number[]; flops: number; bytes: number; rival: number[] };
  /** Reads every line of a mapped file on all threads: how fast loading could be at most. */
  benchFile(path: string, repeats: number): { seconds: number[]; flops: number; bytes: number };
  /** Advantage-free unit access to the loss op (golden/policy): everything per trained token. */
  policyLoss(
    loss: LossSettings,
    tokens: {
      cuTrained: Int32Array;
      logprob: Float32Array;
      entropy: Float32Array;
      advantage: Float32Array;
      oldLogprob?: Float32Array;
      refLogprob?: Float32Array;
      behaviour?: Float32Array;
    },
  ): { metrics: TrainMetrics; dlogprob: Float32Array; dentropy: Float32Array };
  /** The distribution after repetition penalty, temperature, top-k, top-p and min-p. */
  filteredDistribution(
    logits: Float32Array,
    settings: Pick<GenerateSettings, 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty'>,
    context: Int32Array,
  ): Float32Array;
}
