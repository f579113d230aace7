// config.json with missing, contradictory or absurd values, from a folder and as text.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { MemoryRequest } from '../../lib/native/addon.ts';
import { addon } from '../support/addon.ts';
import { countBadInputs, editJson, HEALTHY, refused, refusedFolder } from '../support/broken.ts';
import { withTemporary } from '../support/golden.ts';

countBadInputs('config');

type Config = Record<string, unknown>;
const healthy = JSON.parse(readFileSync(path.join(HEALTHY, 'config.json'), 'utf8')) as Config;

const set = (key: string, value: unknown) => (config: Config) => {
  config[key] = value;
};

/** What is wrong -> the change, and the key that the message must name. */
const CONFIGS: Record<string, [(config: Config) => void, RegExp]> = {};
const SIZES = ['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'vocab_size'];
for (const key of SIZES) {
  CONFIGS[`${key} missing`] = [
    (config) => {
      delete config[key];
    },
    new RegExp(key),
  ];
  for (const value of [0, -1, 1.5, '64', null, true, [64], 1e30]) {
    CONFIGS[`${key} = ${JSON.stringify(value)}`] = [set(key, value), new RegExp(key)];
  }
}
Object.assign(CONFIGS, {
  'model_type missing': [
    (config: Config) => {
      delete config['model_type'];
      delete config['architectures'];
    },
    /model_type/,
  ],
  'an unknown model_type': [set('model_type', 'mamba9'), /model_type|mamba9/],
  'a model_type that needs what is not there': [set('model_type', 'mixtral'), /"mixtral".*mixture of experts/],
  'an architecture that is not for text': [
    set('architectures', ['LlamaForTokenClassification']),
    /architectures.*Token/,
  ],
  'an architecture that is a number': [set('architectures', 7), /architectures/],
  'experts in a model that has none': [set('num_experts', 8), /mixture of experts \(num_experts\)/],
  'layers of another kind': [
    set('layer_types', ['full_attention', 'linear_attention']),
    /layer_types.*linear_attention/,
  ],
  'quantized weights': [set('quantization_config', { quant_method: 'fp8' }), /quantization_config/],
  'a dtype that is a number': [set('dtype', 16), /dtype/],
  'heads that do not divide among kv heads': [set('num_key_value_heads', 3), /num_key_value_heads/],
  'heads that do not divide the width': [
    (config: Config) => {
      delete config['head_dim'];
      config['num_attention_heads'] = 3;
      config['num_key_value_heads'] = 3;
    },
    /hidden_size|num_attention_heads|head_dim/,
  ],
  'more kv heads than heads': [set('num_key_value_heads', 4096), /num_key_value_heads/],
  'kv heads of zero': [set('num_key_value_heads', 0), /num_key_value_heads/],
  'an odd head_dim': [set('head_dim', 15), /head_dim/],
  'an activation nobody knows': [set('hidden_act', 'swoosh'), /hidden_act|swoosh/],
  'an epsilon that is text': [set('rms_norm_eps', 'small'), /rms_norm_eps/],
  'a negative epsilon': [set('rms_norm_eps', -1), /rms_norm_eps/],
  'a RoPE type nobody knows': [set('rope_parameters', { rope_type: 'spiral', rope_theta: 1e4 }), /rope_type|spiral/],
  'a RoPE base of 0': [set('rope_parameters', { rope_type: 'default', rope_theta: 0 }), /rope_theta/],
  'RoPE parameters that are text': [set('rope_parameters', 'default'), /rope_parameters/],
  'max_position_embeddings of 0': [set('max_position_embeddings', 0), /max_position_embeddings/],
  'a tie that is text': [set('tie_word_embeddings', 'yes'), /tie_word_embeddings/],
} satisfies typeof CONFIGS);

/** Sizes that are possible in themselves, but are not those of the weights beside them: the tensor is named. */
const CONTRADICTIONS: Record<string, [(config: Config) => void, RegExp]> = {
  'a larger vocabulary than the weights': [
    set('vocab_size', Number(healthy['vocab_size']) + 1),
    /embed_tokens|lm_head/,
  ],
  'a smaller vocabulary than the weights': [
    set('vocab_size', Number(healthy['vocab_size']) - 1),
    /embed_tokens|lm_head/,
  ],
  'a layer more than the weights': [set('num_hidden_layers', Number(healthy['num_hidden_layers']) + 1), /layers\.\d/],
  'a layer less than the weights': [set('num_hidden_layers', Number(healthy['num_hidden_layers']) - 1), /layers\.\d/],
  'another feed-forward width': [set('intermediate_size', Number(healthy['intermediate_size']) + 16), /mlp/],
  'another head width': [set('head_dim', 2 * Number(healthy['head_dim'] ?? 16)), /_proj|head_dim/],
  // Far more memory than any machine has, though every number is a legal size.
  'sizes of a terabyte model': [
    (config) => {
      config['vocab_size'] = 2 ** 30;
      config['hidden_size'] = 2 ** 20;
    },
    /./,
  ],
};

for (const [what, [change, message]] of Object.entries({ ...CONFIGS, ...CONTRADICTIONS })) {
  test(`config refused: ${what}`, () =>
    refusedFolder(what, (d) => editJson(path.join(d, 'config.json'), change), message));
}
for (const [what, [change, message]] of Object.entries(CONFIGS)) {
  test(`createModel refuses: ${what}`, () => {
    const config = structuredClone(healthy);
    change(config);
    return refused(what, async () => (await addon.createModel(JSON.stringify(config), 1)).close(), message);
  });
}

test('planModel refuses what createModel refuses, and requests that make no sense', async () => {
  const request: MemoryRequest = {
    ...{ prompts: 1, samplesPerPrompt: 1, promptTokens: 8, newTokens: 8, maxRunning: 1, prefillTokens: 8 },
    ...{ microBatchTokens: 8, recompute: 'none', reference: false },
  };
  const text = JSON.stringify(healthy);
  for (const [what, [change, message]] of Object.entries(CONFIGS)) {
    const config = structuredClone(healthy);
    change(config);
    await refused(what, () => addon.planModel(JSON.stringify(config), request), message);
  }
  await refused('no prompts', () => addon.planModel(text, { ...request, prompts: 0 }), /request\.prompts/);
  await refused('recompute', () => addon.planModel(text, { ...request, recompute: 'all' as never }), /recompute/);
  await refused('training', () => addon.planModel(text, { ...request, training: 1 as never }), /request\.training/);
  await refused('no config', () => addon.planModel('', request), /config\.json/);
  // A model that no machine holds can be planned all the same.
  const large = { ...healthy, hidden_size: 2 ** 16, head_dim: 2 ** 14, num_hidden_layers: 1000, vocab_size: 2 ** 20 };
  assert.ok(addon.planModel(JSON.stringify(large), request).total > 2 ** 44);
});

const TEXTS: Record<string, string> = {
  'an empty file': '',
  'cut short': '{"model_type": "llama", "hidden_size": 6',
  'a list': '[]',
  null: 'null',
  'not JSON': 'model_type: llama',
  'nested 200000 deep': `{"a":${'['.repeat(200_000)}`,
};
for (const [what, text] of Object.entries(TEXTS)) {
  test(`config refused: ${what}`, () =>
    refusedFolder(what, (directory) => writeFileSync(path.join(directory, 'config.json'), text), /config\.json/));
}

test('inspectCheckpoint refuses what loadModel refuses', async () => {
  for (const [what, [change, message]] of Object.entries({ ...CONFIGS, ...CONTRADICTIONS })) {
    await withTemporary(async (directory) => {
      cpSync(HEALTHY, directory, { recursive: true });
      editJson(path.join(directory, 'config.json'), change);
      await refused(what, () => addon.inspectCheckpoint(directory), message);
    });
  }
  const nowhere = path.join(HEALTHY, 'nowhere');
  await refused('no folder', () => addon.inspectCheckpoint(nowhere), /nowhere/, /^ERR_IO$/);
});

test('config refused: no config.json, no folder', async () => {
  await refusedFolder('no config.json', (directory) => rmSync(path.join(directory, 'config.json')), /config\.json/);
  await refused(
    'no folder',
    () => addon.loadModel(path.join(HEALTHY, 'nowhere')),
    /nowhere/,
    /^(ERR_INVALID_FILE|ERR_IO)$/,
  );
});
