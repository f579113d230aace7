// The one description of a configuration: types, defaults, help, JSON Schema and error messages come from here.
import { z } from 'zod';
import { ALGORITHMS, type AlgorithmName } from '../algorithms/registry.ts';
import { STRATEGIES, type StrategyName } from '../curriculum/strategies.ts';
import { EMBEDDERS, type EmbedderName } from '../diversity/embedders.ts';
import { SHARD_BYTES } from '../huggingface/folder.ts';
import { ENVIRONMENTS, type EnvironmentName } from '../environments/registry.ts';
import { SELF_ITERATION_REWARDS } from '../rewards/reward.ts';
import { curriculum } from './curriculum.ts';
import { lora } from './lora.ts';
import { lossOverrides } from './loss.ts';
import { count, share } from './numbers.ts';

const names = <Name extends string>(registry: Readonly<Record<Name, unknown>>): [Name, ...Name[]] =>
  Object.keys(registry) as [Name, ...Name[]];

type Difficulty = (typeof ENVIRONMENTS)[EnvironmentName]['settings'];
const environments = Object.values(ENVIRONMENTS).map(({ settings }) => settings) as [Difficulty, ...Difficulty[]];

const schedule = z.strictObject({
  kind: z.enum(['constant', 'linear', 'cosine', 'sqrt']).default('constant').describe('How the rate decays'),
  warmup: z.int().min(0).default(20).describe('Steps of linear warm-up; the first has lr / warmup'),
  minRatio: share.default(0).describe('Where the decay ends, as a share of lr'),
});

export const optimizer = z.strictObject({
  lr: z.number().positive().default(1e-3).describe('Peak learning rate of AdamW'),
  beta1: z.number().min(0).lt(1).default(0.9),
  beta2: z.number().min(0).lt(1).default(0.95),
  eps: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0).describe('Decoupled from the gradient'),
  decay: z
    .enum(['matrices', 'matrices_without_embeddings', 'none'])
    .default('matrices')
    .describe('Which weights decay'),
  maxGradNorm: z.number().min(0).default(1).describe('Global norm to clip at; 0: no clipping'),
  schedule: schedule.prefault({}),
});

const decoder = z
  .strictObject({
    width: count.default(64).describe('Width of the residual stream'),
    layers: count.default(3),
    heads: count.default(4).describe('Query heads'),
    kvHeads: count.nullable().default(null).describe('Key and value heads; null: as many as query heads'),
    feedForward: count.default(192).describe('Width of the SwiGLU feed-forward layers'),
    ropeTheta: z.number().positive().default(10_000),
    tieEmbeddings: z.boolean().default(true).describe('The output head is the embedding'),
    initializerRange: z.number().positive().default(0.05).describe('Deviation of the initial weights'),
  })
  .refine((d) => d.width % d.heads === 0 && (d.width / d.heads) % 2 === 0, {
    error: 'width must be an even multiple of heads',
    path: ['width'],
  })
  .refine((d) => d.heads % (d.kvHeads ?? d.heads) === 0, {
    error: 'heads must be a multiple of kvHeads',
    path: ['heads'],
  });

export const DEVICE_NAME = /^(cpu|auto|cuda(:\d{1,3})?)$/;

export const model = z
  .strictObject({
    path: z.string().nullable().default(null).describe('A folder with config.json and safetensors'),
    decoder: decoder.nullable().default(null).describe('Sizes of a fresh decoder'),
    dtype: z
      .enum(['float32', 'bfloat16'])
      .default('float32')
      .describe('What linear layers compute with; weights that are trained stay float32 beside it'),
    device: z
      .string()
      .regex(DEVICE_NAME, 'expected cpu, cuda, cuda:N or auto')
      .default('cpu')
      .describe('Where the model computes: cpu, cuda, cuda:N, or auto (cuda:0 where it can be used, else cpu)'),
    exact: z
      .boolean()
      .default(false)
      .describe("On a device: sampled log-probabilities are training's bit for bit (on the CPU they always are)"),
    lora: lora.nullable().default(null).describe('A fresh LoRA adapter: it is trained, the weights of path are not'),
    adapter: z
      .string()
      .nullable()
      .default(null)
      .describe('A LoRA adapter to go on with, in a folder of the peft package'),
  })
  .refine((m) => (m.path === null) !== (m.decoder === null), {
    error: 'give either path (a checkpoint folder) or decoder (sizes of a fresh model)',
  })
  .refine((m) => m.lora === null || m.adapter === null, {
    error: 'give either lora (a fresh adapter) or adapter (one to go on with)',
  })
  .refine((m) => m.path !== null || (m.lora === null && m.adapter === null), {
    error: 'an adapter needs path: beside it weights stay as they are, and those of a fresh decoder are random',
  });

const warmup = z.strictObject({
  steps: z.int().min(0).default(0).describe('Supervised steps on demonstrations of the environment before the loop'),
  batch: count.default(256).describe('Demonstrations per step'),
  optimizer: optimizer.prefault({}),
});

const rollout = z.strictObject({
  groups: count.default(32).describe('Prompts per step'),
  groupSize: z
    .int()
    .min(2, 'a group needs at least two attempts: a single return has no variance to score its start with')
    .default(8)
    .describe('Attempts per prompt (G)'),
  temperature: z.number().positive().default(1),
  topK: z.int().min(0).default(0).describe('Keep the k most likely tokens; 0: all'),
  topP: z.number().positive().max(1).default(1),
  minP: share.default(0),
  maxRunning: count.default(256).describe('Sequences decoded together'),
  pages: z.int().min(0).default(0).describe('Pages of 16 tokens in the KV cache; 0: as many as needed'),
  prefillTokens: count.default(2048).describe('Prompt tokens processed at a time'),
  filter: z
    .enum(['off', 'zero_variance'])
    .default('off')
    .describe('zero_variance: groups whose returns are all equal are drawn anew (DAPO)'),
  extraRounds: count.default(4).describe('Rounds of drawing anew, at most'),
});

const diversity = z.strictObject({
  embedder: z
    .enum(names<EmbedderName>(EMBEDDERS))
    .default('hidden')
    .describe("hidden: mean of the policy's hidden states over the answer; ngrams: hashed shares of n-grams"),
  epsilon: z.number().positive().default(1e-6).describe('Added to the spread of the distances in a group'),
  cap: z.number().positive().default(10).describe('Largest factor on an advantage'),
  measure: z.boolean().default(false).describe('Report the distance of attempts where no bonus needs it, too'),
});

const algorithm = z.strictObject({
  name: z.enum(names<AlgorithmName>(ALGORITHMS)).default('grpo'),
  loss: lossOverrides.prefault({}).describe("Changes to the algorithm's loss settings"),
  epochs: count.default(1).describe('Updates per batch'),
  overlong: z
    .enum(['keep', 'mask'])
    .default('keep')
    .describe('mask: no gradient for answers cut off at the longest length'),
  reference: z
    .strictObject({
      every: z.int().min(0).default(0).describe('Steps between moves of the reference policy; 0: it stays'),
      alpha: share.default(1).describe('reference = alpha * policy + (1 - alpha) * reference'),
    })
    .prefault({}),
});

const train = z.strictObject({
  steps: count.default(200),
  microBatchTokens: count.default(8192).describe('Tokens in one forward and backward pass'),
  recompute: z
    .enum(['none', 'block'])
    .default('none')
    .describe('Recompute the blocks in the backward pass: less memory'),
});

const evaluation = z
  .strictObject({
    every: z.int().min(0).default(10).describe('Steps between held-out evaluations while training; 0: none'),
    during: z.array(z.int().min(0)).min(1).default([0, 4]).describe('Values of k while training'),
    instances: count.default(256).describe('Held-out instances while training'),
    final: z.array(z.int().min(0)).min(1).default([0, 1, 2, 4, 8, 16]).describe('Values of k at the end'),
    finalInstances: count.default(1024).describe('Held-out instances at the end'),
    samples: count.default(1).describe('Episodes per held-out instance at the end: the n of avg@n'),
    temperature: z
      .number()
      .min(0)
      .nullable()
      .default(null)
      .describe('0: greedy; null: what generation_config.json of model.path says, else 1'),
    topK: z.int().min(0).nullable().default(null).describe('Keep the k most likely tokens, 0: all; null: as above'),
    topP: z.number().positive().max(1).nullable().default(null).describe('null: as above'),
    minP: share.nullable().default(null).describe('null: as above'),
    repetitionPenalty: z.number().positive().nullable().default(null).describe('1: none; null: as above'),
    stopTokens: z
      .array(z.int().min(0))
      .nullable()
      .default(null)
      .describe("Tokens that end an answer beside the environment's own; null: as above, its eos_token_id"),
  })
  .refine((e) => e.samples === 1 || e.temperature !== 0, {
    error: 'greedy answers are all the same: more than one sample needs a temperature above 0',
    path: ['samples'],
  });

const run = z.strictObject({
  checkpointEvery: count.default(50).describe('Steps between checkpoints'),
  keep: count.default(2).describe('Newest checkpoints that are kept'),
  maxShardBytes: count.default(SHARD_BYTES).describe('Larger weights are written as several files with an index'),
  rollouts: z.boolean().default(true).describe('Write rollouts/step-*.arrow'),
});

const selfIterationWeights = z
  .strictObject({ plain: z.number(), improvement: z.number(), signed: z.number() })
  .partial()
  .refine((weights) => Object.values(weights).some((weight) => weight !== 0), {
    error: 'give at least one reward a weight',
  });

const selfIterationReward = z
  .union([z.enum(SELF_ITERATION_REWARDS), selfIterationWeights], {
    error: `expected ${SELF_ITERATION_REWARDS.join(', ')}, or weights for them`,
  })
  .nullable()
  .default(null);

export const schema = z.strictObject({
  seed: z.int().min(0).default(1),
  threads: z.int().min(0).default(0).describe('CPU threads; 0: one per core'),
  environment: z.discriminatedUnion('name', environments, {
    error: ({ code, input }) =>
      code === 'invalid_union'
        ? `${JSON.stringify((input as { name?: unknown }).name)} is not an environment of this version; ` +
          `there are: ${Object.keys(ENVIRONMENTS).join(', ')}`
        : undefined,
  }),
  model: model,
  warmup: warmup.prefault({}),
  strategies: z
    .array(z.enum(names<StrategyName>(STRATEGIES)))
    .min(1)
    .refine((list) => new Set(list).size === list.length, 'a strategy is listed twice')
    .default(['improve'])
    .describe('One arm of training each, all from the same warm-up'),
  curriculum: curriculum.prefault({}),
  rollout: rollout.prefault({}),
  reward: z
    .strictObject({
      selfIteration: selfIterationReward.describe(
        "Reward of self-iteration steps, or several with weights; null: the environment's choice",
      ),
      divergence: selfIterationReward.describe('Reward of divergence steps; null: that of self-iteration steps'),
    })
    .prefault({}),
  diversity: diversity.prefault({}),
  algorithm: algorithm.prefault({}),
  optimizer: optimizer.prefault({}),
  train: train.prefault({}),
  evaluation: evaluation.prefault({}),
  run: run.prefault({}),
});

/** A configuration with every default filled in. */
export type Config = z.infer<typeof schema>;
export type OptimizerConfig = Config['optimizer'];
