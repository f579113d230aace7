import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatConfig, parseConfig } from '../../lib/config/load.ts';
import type { Config } from '../../lib/config/schema.ts';
import { evaluationSampling, withGenerationDefaults } from '../../lib/evaluation/sampling.ts';
import { companionNames, readCompanions, writeCompanions } from '../../lib/huggingface/companions.ts';
import { generationConfigFor, readGenerationConfig } from '../../lib/huggingface/generation-config.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const read = (content: unknown): Promise<ReturnType<typeof readGenerationConfig>> =>
  inTemporaryFolder((folder) => {
    writeFileSync(join(folder, 'config.json'), '{"vocab_size": 100}');
    writeFileSync(
      join(folder, 'generation_config.json'),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
    return readGenerationConfig(folder);
  });

const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, eosTokens: [], ignored: [] };

test('generation_config: without do_sample it is greedy, whatever else it says', async () => {
  assert.deepEqual(await read({}), GREEDY);
  const quiet = { do_sample: false, temperature: 0.6, top_p: 0.9, repetition_penalty: 1.1, eos_token_id: 7 };
  assert.deepEqual(await read(quiet), { ...GREEDY, repetitionPenalty: 1.1, eosTokens: [7] });
});

test('generation_config: what is missing has the defaults of transformers, null is missing', async () => {
  const sampled = { do_sample: true, temperature: null, eos_token_id: [5, 9], pad_token_id: 3, max_length: 20 };
  assert.deepEqual(await read(sampled), { ...GREEDY, temperature: 1, topK: 50, eosTokens: [5, 9] });
  const full = { do_sample: true, temperature: 0.7, top_k: 20, top_p: 0.8, min_p: 0.05, repetition_penalty: 1.05 };
  const expected = { temperature: 0.7, topK: 20, topP: 0.8, minP: 0.05, repetitionPenalty: 1.05 };
  assert.deepEqual(await read(full), { ...GREEDY, ...expected });
});

test('generation_config: settings that are not followed are named, those that are off are not', async () => {
  const file = { num_beams: 4, typical_p: 1.0, no_repeat_ngram_size: 3, guidance_scale: null, length_penalty: 1.0 };
  assert.deepEqual((await read(file))!.ignored, ['num_beams', 'no_repeat_ngram_size']);
});

test('generation_config: nonsense names the file and the key', async () => {
  const refused: [unknown, RegExp][] = [
    ['{"do_sample": tru', /generation_config\.json is damaged/],
    [[], /generation_config\.json: the file: /],
    [{ temperature: 'hot' }, /generation_config\.json: temperature: /],
    [{ temperature: -1 }, /temperature: /],
    [{ top_k: 1.5 }, /top_k: /],
    [{ top_p: 0 }, /top_p: /],
    [{ top_p: 7 }, /top_p: /],
    [{ min_p: -0.1 }, /min_p: /],
    [{ repetition_penalty: 0 }, /repetition_penalty: /],
    [{ do_sample: 'yes' }, /do_sample: /],
    [{ eos_token_id: 'x' }, /eos_token_id: expected a token id or a list of them/],
    [{ eos_token_id: [1, -1] }, /eos_token_id\.1: /],
    [{ eos_token_id: [1, 100] }, /eos_token_id: 100 is outside of the vocabulary of 100 tokens/],
    [{ temperature: 'hot', top_p: 2 }, /temperature: .*; top_p: /],
  ];
  for (const [content, message] of refused) await assert.rejects(read(content), message, JSON.stringify(content));
});

const config = (path: string, ...set: string[]): Config =>
  parseConfig({ name: 'x', text: `environment: {name: sort}\nmodel: {path: ${path}}`, set });
const environment = { vocabularySize: 20 };

test('evaluations: the command line before the configuration before the file before plain sampling', () =>
  inTemporaryFolder((folder) => {
    const plain = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, stopTokens: [] };
    assert.deepEqual(evaluationSampling(withGenerationDefaults(config(folder)), environment), plain);

    const file = { do_sample: true, temperature: 0.7, top_k: 20, eos_token_id: [3, 90] };
    writeFileSync(join(folder, 'generation_config.json'), JSON.stringify(file));
    const resolved = withGenerationDefaults(config(folder, 'evaluation.topP=0.5'));
    const sampling = evaluationSampling(resolved, environment, { topK: 1 });
    // Token 3 is a symbol of the environment: it ends nothing there.
    const expected = { temperature: 0.7, topK: 1, topP: 0.5, minP: 0, repetitionPenalty: 1, stopTokens: [90] };
    assert.deepEqual(sampling, expected);
    // Numbers, once and for all: another file later changes nothing.
    writeFileSync(join(folder, 'generation_config.json'), '{}');
    assert.deepEqual(evaluationSampling(withGenerationDefaults(resolved), environment, { topK: 1 }), expected);
    assert.deepEqual(parseConfig({ name: 'again', text: formatConfig(resolved) }), resolved);

    const told = evaluationSampling(withGenerationDefaults(config(folder, 'evaluation.temperature=0.2')), environment);
    assert.deepEqual([told.temperature, told.topK], [0.2, 0]);
    assert.throws(
      () => withGenerationDefaults(config(folder, 'evaluation.samples=4')),
      /4 samples per instance, but sampling is greedy .*; set evaluation\.temperature/,
    );
  }));

test('companions travel byte for byte, and nothing else does', () =>
  inTemporaryFolder((folder) => {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    mkdirSync(join(from, 'additional_chat_templates'), { recursive: true });
    mkdirSync(to);
    const travel = ['tokenizer.json', 'tokenizer.model', 'vocab.json', 'merges.txt', 'special_tokens_map.json'];
    travel.push('chat_template.jinja', 'generation_config.json', 'tekken.json', 'additional_chat_templates/tool.jinja');
    for (const [i, name] of travel.entries()) writeFileSync(join(from, name), Buffer.from([0, 255, 128, i]));
    for (const name of ['config.json', 'README.md', 'model.safetensors', 'notes_tokenizer.json']) {
      writeFileSync(join(from, name), 'x');
    }
    assert.deepEqual(companionNames(from).sort(), travel.sort());
    const companions = readCompanions(from);
    writeCompanions(to, companions);
    assert.deepEqual(readCompanions(to), companions);
  }));

test('a generation_config for a model without one: its token ids and how it was sampled', () => {
  const ids = JSON.stringify({ bos_token_id: null, eos_token_id: [1, 2], vocab_size: 9 });
  const written = JSON.parse(generationConfigFor(ids, { do_sample: true, temperature: 0.9 }));
  assert.deepEqual(written, { _from_model_config: true, eos_token_id: [1, 2], do_sample: true, temperature: 0.9 });
});
