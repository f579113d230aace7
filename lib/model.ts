// Where a model comes from: a checkpoint folder, or sizes and a seed; and its LoRA adapter, if it has one.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LoraConfig } from './config/lora.ts';
import type { Config } from './config/schema.ts';
import { createEnvironment, isInWords } from './environments/create.ts';
import type { Environment } from './environments/environment.ts';
import { UsageError, UserError } from './errors.ts';
import { type Companion, readCompanions } from './huggingface/companions.ts';
import type { Addon, MemoryRequest, ModelOptions, NativeModel, PlannedModel } from './native/addon.ts';
import { deriveSeed } from './rng.ts';
import { baseFingerprint } from './runs/checkpoint.ts';
import { ADAPTER_CONFIG, CONFIG, readJson } from './runs/files.ts';
import { byteTokenizerFiles } from './text/byte-tokenizer.ts';
import { Chat } from './text/chat.ts';
import { byteChat, chatCodec } from './text/codec.ts';

type Decoder = NonNullable<Config['model']['decoder']>;
/** What a fresh model has to fit. */
type Sizes = Pick<Environment, 'vocabularySize' | 'promptTokens' | 'attempt'>;

/** config.json of a fresh Llama-style decoder for an environment's vocabulary and lengths. */
export function decoderConfig(decoder: Decoder, environment: Sizes): string {
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: environment.vocabularySize,
    hidden_size: decoder.width,
    intermediate_size: decoder.feedForward,
    num_hidden_layers: decoder.layers,
    num_attention_heads: decoder.heads,
    num_key_value_heads: decoder.kvHeads ?? decoder.heads,
    head_dim: decoder.width / decoder.heads,
    hidden_act: 'silu',
    max_position_embeddings: environment.promptTokens + environment.attempt.maxTokens,
    initializer_range: decoder.initializerRange,
    rms_norm_eps: 1e-5,
    rope_parameters: { rope_type: 'default', rope_theta: decoder.ropeTheta },
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: decoder.tieEmbeddings,
    dtype: 'float32',
    // Said even where there is none: other tools have defaults of their own, which mean other tokens here.
    bos_token_id: null,
    eos_token_id: endOf(environment),
    pad_token_id: null,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function endOf({ attempt: { stopTokens } }: Sizes): number | readonly number[] | null {
  return stopTokens.length > 1 ? stopTokens : (stopTokens[0] ?? null);
}

/** The folder a configuration's model is loaded from; null for a fresh one. */
export const modelFolder = ({ model }: Pick<Config, 'model'>): string | null =>
  model.path === null ? null : resolve(model.path);

/** How a model talks: by the tokenizer and template of its folder, or of bytes where it is made from nothing. */
export const openChat = (folder: string | null): Chat => (folder === null ? byteChat() : Chat.load(folder));

/** The environment of a configuration; one in words in those of its model. */
export function openEnvironment(config: Pick<Config, 'environment' | 'model'>): Environment {
  const { environment } = config;
  return createEnvironment(environment, isInWords(environment) ? chatCodec(openChat(modelFolder(config))) : null);
}

/** Files beside the weights that a configuration's model starts with. */
export function initialCompanions(config: Pick<Config, 'environment' | 'model'>): Companion[] {
  const folder = modelFolder(config);
  if (folder !== null) return readCompanions(folder);
  return isInWords(config.environment) ? byteCompanions() : [];
}

/** The tokenizer of bytes, as files. */
export const byteCompanions = (): Companion[] =>
  Object.entries(byteTokenizerFiles()).map(([name, text]) => ({ name, bytes: Buffer.from(text) }));

/** adapter_config.json (peft) of a fresh adapter. */
export function adapterConfig({ rank, alpha, rslora, targets, layers, dropout }: LoraConfig): string {
  return JSON.stringify({
    peft_type: 'LORA',
    r: rank,
    lora_alpha: alpha,
    lora_dropout: dropout,
    use_rslora: rslora,
    target_modules: targets,
    layers_to_transform: layers,
  });
}

/** The model a configuration starts from. */
export async function openModel(
  addon: Addon,
  config: Pick<Config, 'model' | 'seed'>,
  environment: Sizes & Pick<Environment, 'name'>,
): Promise<NativeModel> {
  const { path, decoder, lora, adapter } = config.model;
  const folder = modelFolder(config);
  if (folder === null) {
    return addon.createModel(decoderConfig(decoder!, environment), deriveSeed(config.seed, 'weights'), config.model);
  }
  return orClose(await addon.loadModel(folder, config.model), async (model) => {
    requireFit(model.config, path!, environment);
    if (adapter !== null) await model.loadAdapter(resolve(adapter));
    if (lora !== null) await createAdapter(model, lora, deriveSeed(config.seed, 'adapter'));
  });
}

/** The memory of the model a configuration starts from, by the headers of its files: no weights are read, no device is opened. */
export function planConfigured(
  addon: Addon,
  config: Pick<Config, 'model'>,
  environment: Sizes & Pick<Environment, 'name'>,
  request: MemoryRequest,
): PlannedModel {
  const { path, decoder, lora, adapter, dtype, device, exact } = config.model;
  const options = { dtype, device, exact };
  const folder = modelFolder(config);
  const json = folder === null ? decoderConfig(decoder!, environment) : addon.inspectCheckpoint(folder).config;
  if (folder !== null) requireFit(json, path!, environment);
  if (adapter !== null) {
    const text = readFileSync(join(adapter, ADAPTER_CONFIG), 'utf8');
    return addon.planModel(json, request, { ...options, adapter: text });
  }
  if (lora === null) return addon.planModel(json, request, options);
  try {
    return addon.planModel(json, request, { ...options, adapter: adapterConfig(lora) });
  } catch (error) {
    throw loraError(error);
  }
}

/** Complains about a model that has too few tokens or positions for an environment. */
function requireFit(json: string, path: string, environment: Sizes & Pick<Environment, 'name'>): void {
  const { vocab_size: vocabulary, max_position_embeddings: positions } = JSON.parse(json) as {
    vocab_size: number;
    max_position_embeddings?: number;
  };
  const { name, vocabularySize, promptTokens, attempt } = environment;
  if (vocabulary < vocabularySize) {
    throw new UsageError(
      `model.path ${path} has a vocabulary of ${vocabulary} tokens, environment ${name} needs ${vocabularySize}`,
    );
  }
  const longest = promptTokens + attempt.maxTokens;
  if (positions !== undefined && positions < longest) {
    throw new UsageError(
      `model.path ${path} has ${positions} positions, environment ${name} needs ${longest}: prompts of ${promptTokens} tokens and ` +
        `answers of ${attempt.maxTokens}; where the environment has settings for that, lower environment.promptTokens or answerTokens`,
    );
  }
}

/**
 * The folder with the weights of what was saved: of an adapter that of the base model it names, or `base` instead, else the
 * folder itself.
 */
export function weightsFolder(path: string, base: string | null = null): string {
  const file = join(path, ADAPTER_CONFIG);
  const saved = readJson<{ base_model_name_or_path?: unknown }>(file);
  if (base !== null) {
    if (saved === null) throw new UsageError(`--base ${base}: ${path} holds a whole model, not an adapter`);
    if (existsSync(join(base, CONFIG))) return resolve(base);
    throw new UsageError(`--base ${base}: no ${CONFIG} there; it must be the folder of a model`);
  }
  if (saved === null) return path;
  const named = saved.base_model_name_or_path;
  if (typeof named === 'string' && existsSync(join(named, CONFIG))) return named;
  throw new UserError(
    `${file}: the adapter belongs to the model ${typeof named === 'string' ? named : '(not named)'}, which is not there; ` +
      'say where its folder is with --base, or write the path into base_model_name_or_path',
  );
}

/** A run's configuration where the folder of its model is now `base`. */
export function withBase<C extends Pick<Config, 'model'>>(config: C, base: string | null): C {
  if (base === null) return config;
  const { model } = config;
  if (model.lora === null && model.adapter === null) {
    throw new UsageError(`--base ${base}: the run trains a whole model, not an adapter`);
  }
  return { ...config, model: { ...model, path: resolve(base) } };
}

/**
 * Opens what was saved: a model folder, or the folder of a LoRA adapter together with the base model it names (or `base`
 * instead). Refuses weights that are not those beside which an adapter of a checkpoint was trained.
 */
export async function openFolder(
  addon: Pick<Addon, 'loadModel'>,
  path: string,
  { base = null, ...options }: Partial<ModelOptions> & { readonly base?: string | null } = {},
): Promise<NativeModel> {
  const folder = weightsFolder(path, base);
  const { dtype = 'float32', device = 'cpu', exact = false } = options;
  const model = await addon.loadModel(folder, { dtype, device, exact });
  if (folder === path) return model;
  return orClose(model, async () => {
    await requireBase(model, folder, path);
    await model.loadAdapter(path);
  });
}

/** Complains when a model from `folder` has other weights than those beside which the adapter of a checkpoint was trained. */
export async function requireBase(model: NativeModel, folder: string, checkpoint: string): Promise<void> {
  const wanted = baseFingerprint(checkpoint);
  if (wanted === null) return;
  const found = await model.fingerprint();
  if (found === wanted) return;
  throw new UserError(
    `${folder}: these are not the weights beside which the adapter ${checkpoint} was trained (fingerprint ${found} instead of ` +
      `${wanted}); put those back, or say where they are with --base`,
  );
}

async function createAdapter(model: NativeModel, lora: LoraConfig, seed: number): Promise<void> {
  try {
    await model.createAdapter(adapterConfig(lora), seed);
  } catch (error) {
    throw loraError(error);
  }
}

/** The engine has seen a file where the user wrote a setting. */
function loraError(error: unknown): UsageError {
  const message = (error as Error).message.replace(/^adapter_config\.json: /, '').replace('target_modules', 'targets');
  return new UsageError(`model.lora: ${message.replace('layers_to_transform', 'layers')}`, { cause: error });
}

/** The model after `prepare`; closed when that fails. */
async function orClose(model: NativeModel, prepare: (model: NativeModel) => Promise<void>): Promise<NativeModel> {
  try {
    await prepare(model);
    return model;
  } catch (error) {
    model.close();
    throw error;
  }
}
