// Where a model comes from: a checkpoint folder, or sizes and a seed.
import { resolve } from 'node:path';
import type { Config } from './config/schema.ts';
import type { Environment } from './environments/environment.ts';
import { UsageError } from './errors.ts';
import type { Addon, NativeModel } from './native/addon.ts';
import { deriveSeed } from './rng.ts';

type Decoder = NonNullable<Config['model']['decoder']>;

/** config.json of a fresh Llama-style decoder for an environment's vocabulary and lengths. */
export function decoderConfig(decoder: Decoder, environment: Environment): string {
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
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** The model a configuration starts from. */
export async function openModel(addon: Addon, config: Config, environment: Environment): Promise<NativeModel> {
  const { path, decoder } = config.model;
  if (path === null) {
    return addon.createModel(decoderConfig(decoder!, environment), deriveSeed(config.seed, 'weights'));
  }
  const model = await addon.loadModel(resolve(path));
  const { vocab_size: vocabulary } = JSON.parse(model.config) as { vocab_size: number };
  if (vocabulary < environment.vocabularySize) {
    model.close();
    throw new UsageError(
      `model.path ${path} has a vocabulary of ${vocabulary} tokens, environment ${environment.name} needs ${environment.vocabularySize}`,
    );
  }
  return model;
}
