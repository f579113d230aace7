// Shapes of published models, measured on a card with random weights.
import type { BenchOptions } from './options.ts';

export interface PublishedShape {
  readonly family: 'qwen2' | 'qwen3';
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  readonly feedForward: number;
  readonly vocabulary: number;
}

export const PUBLISHED = {
  'Qwen2.5-0.5B': {
    family: 'qwen2',
    width: 896,
    layers: 24,
    heads: 14,
    kvHeads: 2,
    headWidth: 64,
    feedForward: 4864,
    vocabulary: 151936,
  },
  'Qwen3-0.6B': {
    family: 'qwen3',
    width: 1024,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headWidth: 128,
    feedForward: 3072,
    vocabulary: 151936,
  },
  'Qwen3-1.7B': {
    family: 'qwen3',
    width: 2048,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headWidth: 128,
    feedForward: 6144,
    vocabulary: 151936,
  },
} as const satisfies Record<string, PublishedShape>;

export type PublishedName = keyof typeof PUBLISHED;

/** A published shape, or with --small a tiny one of its kind. */
export function modelShape(name: PublishedName, { small }: BenchOptions): PublishedShape {
  const shape = PUBLISHED[name];
  if (!small) return shape;
  return { ...shape, width: 32, layers: 1, heads: 2, kvHeads: 1, headWidth: 16, feedForward: 48, vocabulary: 64 };
}

export function publishedConfig(shape: PublishedShape, positions: number): string {
  return JSON.stringify({
    architectures: [shape.family === 'qwen2' ? 'Qwen2ForCausalLM' : 'Qwen3ForCausalLM'],
    model_type: shape.family,
    vocab_size: shape.vocabulary,
    hidden_size: shape.width,
    intermediate_size: shape.feedForward,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headWidth,
    hidden_act: 'silu',
    max_position_embeddings: positions,
    initializer_range: 0.02,
    rms_norm_eps: 1e-6,
    rope_parameters: { rope_type: 'default', rope_theta: 1e6 },
    attention_bias: false,
    tie_word_embeddings: true,
    dtype: 'bfloat16',
  });
}

/** Parameters of the products, the tied head counted once. */
export function productParameters(s: PublishedShape): number {
  const attention = s.width * s.headWidth * (2 * s.heads + 2 * s.kvHeads);
  return s.layers * (attention + 3 * s.width * s.feedForward) + s.vocabulary * s.width;
}

/** What the card did in this run, measured: FLOP/s of products and of attention, bytes/s of copies. */
export interface CardRates {
  readonly products: number;
  readonly attentionForward: number;
  readonly attentionBackward: number;
  readonly copy: number;
}

/**
 * Least seconds per token of a training step with sequences of `length` tokens, phases one after the other: products, causal
 * attention, passes over rows, logits that go through memory once, optimizer. bf16, `stepTokens` tokens per update.
 */
export function trainingRoofline(
  s: PublishedShape,
  rates: CardRates,
  length: number,
  stepTokens: number,
): Record<string, number> {
  const parameters = productParameters(s);
  const queries = s.heads * s.headWidth;
  const keys = s.kvHeads * s.headWidth;
  return {
    products: (6 * parameters) / rates.products,
    attention: s.layers * queries * length * (2 / rates.attentionForward + 5 / rates.attentionBackward),
    rows: (s.layers * (32 * s.width + 10 * (queries + keys) + 18 * s.feedForward)) / rates.copy,
    logits: (5 * 2 * s.vocabulary) / rates.copy,
    optimizer: (34 * parameters) / (rates.copy * stepTokens),
  };
}

/** Bytes of keys and values a token of context takes in bf16. */
export const kvBytes = (s: PublishedShape): number => 2 * s.layers * s.kvHeads * s.headWidth * 2;
