// What is in a model folder, by its headers: nothing is loaded.
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../errors.ts';
import type { Addon, CheckpointFacts } from '../native/addon.ts';
import { weightsFolder } from '../model.ts';
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS, readJson } from '../runs/files.ts';
import { companionNames, isTemplateFile, isTokenizerFile } from './companions.ts';
import { type GenerationConfig, readGenerationConfig } from './generation-config.ts';

export interface TypeFacts {
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
}

export interface AdapterFacts {
  readonly path: string;
  readonly rank: number;
  readonly alpha: number;
  readonly targets: unknown;
  readonly parameters: number;
  /** adapter_config.json. */
  readonly config: string;
}

export interface ModelFacts {
  /** Of the weights. */
  readonly path: string;
  /** What was trained beside frozen weights, where the folder holds that; null: the weights themselves. */
  readonly adapter: AdapterFacts | null;
  /** As transformers calls it: Qwen2ForCausalLM. */
  readonly architecture: string;
  readonly family: string;
  readonly parameters: number;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headWidth: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  /** Longest sequence, in tokens. */
  readonly context: number;
  /** Sliding window in tokens, where the model has one. */
  readonly window: number | null;
  readonly tiedEmbeddings: boolean;
  readonly rope: Readonly<Record<string, unknown>>;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly bytes: number;
  /** By type of the tensors in the files. */
  readonly types: Readonly<Record<string, TypeFacts>>;
  readonly tensors: CheckpointFacts['parameters'];
  readonly tokenizer: readonly string[];
  /** Files with a chat template. */
  readonly chatTemplate: readonly string[];
  readonly generation: GenerationConfig | null;
  /** config.json in both generations of keys. */
  readonly config: string;
}

/**
 * Reads a model folder, or that of an adapter and its base (or `base` instead of where it says). Damaged and contradictory files
 * are errors that name the file.
 */
export function inspectModel(
  addon: Pick<Addon, 'inspectCheckpoint' | 'readSafetensors'>,
  folder: string,
  base: string | null = null,
): ModelFacts {
  const path = weightsFolder(folder, base);
  const { config, parameterCount, parameters, files } = addon.inspectCheckpoint(path);
  const json = JSON.parse(config) as Record<string, unknown>;
  const number = (key: string): number => json[key] as number;
  const types: Record<string, TypeFacts> = {};
  for (const { dtype, shape, bytes } of parameters) {
    const sum = types[dtype] ?? { tensors: 0, parameters: 0, bytes: 0 };
    const size = shape.reduce((product, n) => product * n, 1);
    types[dtype] = { tensors: sum.tensors + 1, parameters: sum.parameters + size, bytes: sum.bytes + bytes };
  }
  const names = companionNames(path);
  return {
    path,
    adapter: path === folder ? null : inspectAdapter(addon, folder),
    architecture: String((json['architectures'] as unknown[])[0]),
    family: String(json['model_type']),
    parameters: parameterCount,
    layers: number('num_hidden_layers'),
    width: number('hidden_size'),
    heads: number('num_attention_heads'),
    kvHeads: number('num_key_value_heads'),
    headWidth: number('head_dim'),
    feedForward: number('intermediate_size'),
    vocabulary: number('vocab_size'),
    context: number('max_position_embeddings'),
    window: windowOf(json),
    tiedEmbeddings: json['tie_word_embeddings'] as boolean,
    rope: json['rope_parameters'] as Record<string, unknown>,
    files: files
      .map((file) => ({ name: basename(file.path), bytes: file.bytes }))
      .sort((a, b) => a.name.localeCompare(b.name, 'en')),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    types,
    tensors: parameters,
    tokenizer: names.filter(isTokenizerFile),
    chatTemplate: [...names.filter(isTemplateFile), ...(hasTemplate(path) ? ['tokenizer_config.json'] : [])],
    generation: readGenerationConfig(path),
    config,
  };
}

function inspectAdapter(addon: Pick<Addon, 'readSafetensors'>, path: string): AdapterFacts {
  const config = readFileSync(join(path, ADAPTER_CONFIG), 'utf8');
  const { r: rank, lora_alpha: alpha, target_modules: targets } = JSON.parse(config);
  const tensors = addon.readSafetensors(join(path, ADAPTER_WEIGHTS));
  const parameters = tensors.reduce((sum, { data }) => sum + data.length, 0);
  return { path, rank, alpha, targets, parameters, config };
}

/** Mistral has a window where it is set, Qwen where it is also switched on. */
function windowOf(config: Readonly<Record<string, unknown>>): number | null {
  const on = config['model_type'] === 'mistral' || config['use_sliding_window'] === true;
  return on ? ((config['sliding_window'] as number | null | undefined) ?? null) : null;
}

function hasTemplate(path: string): boolean {
  const file = join(path, 'tokenizer_config.json');
  if (!existsSync(file)) return false;
  const content = readJson<unknown>(file);
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new UserError(`${file} must hold a JSON object`);
  }
  return ((content as Record<string, unknown>)['chat_template'] ?? null) !== null;
}
