// The models that are measured. The peers build the same ones from these numbers (bench/peers/llama.py).

/** A Llama-style decoder with tied embeddings and as many kv heads as heads. */
export interface BenchModel {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly feedForward: number;
  readonly vocabulary: number;
}

export const MODELS = {
  '135k': { width: 64, layers: 2, heads: 4, feedForward: 256, vocabulary: 64 },
  '4.3M': { width: 256, layers: 4, heads: 4, feedForward: 1024, vocabulary: 512 },
  // GPT-2 small as a Llama: the feed-forward width makes up for the third matrix, the vocabulary is padded.
  '124M': { width: 768, layers: 12, heads: 12, feedForward: 2048, vocabulary: 50304 },
} as const satisfies Record<string, BenchModel>;

export type ModelName = keyof typeof MODELS;

export function configJson(model: BenchModel): string {
  return JSON.stringify({
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: model.vocabulary,
    hidden_size: model.width,
    intermediate_size: model.feedForward,
    num_hidden_layers: model.layers,
    num_attention_heads: model.heads,
    num_key_value_heads: model.heads,
    head_dim: model.width / model.heads,
    hidden_act: 'silu',
    max_position_embeddings: 1024,
    initializer_range: 0.02,
    rms_norm_eps: 1e-5,
    rope_parameters: { rope_type: 'default', rope_theta: 10000 },
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: true,
    dtype: 'float32',
  });
}

/** Token ids that look random; the first two ids are left to padding and the end of a text. */
export function randomSequences(count: number, length: number, vocabulary: number): Int32Array[] {
  let state = 12345;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return 2 + ((state >>> 8) % (vocabulary - 2));
  };
  return Array.from({ length: count }, () => Int32Array.from({ length }, next));
}
