// A model folder through training: into a run, out of its checkpoints, and what is said about it on the way.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exitRl, inTemporaryFolder, type Outcome, TINY } from '../support/cli.ts';
import { checkpointPath } from '../support/golden.ts';
import { type Tensor, TensorFile } from '../support/safetensors.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
const [source, run] = [join(folder, 'source'), join(folder, 'run')];
const CHECKPOINT = join(run, 'checkpoints', 'step-000002');
const SHORT = ['--set=warmup.steps=2', '--set=train.steps=2', '--strategy', 'improve'];
const fromFolder = (path: string): string[] => ['--set=model.decoder=null', `--set=model.path=${path}`];
const GENERATION = { do_sample: true, temperature: 0.7, top_k: 5, eos_token_id: [307, 310], num_beams: 4 };
const TRAVEL = ['chat_template.jinja', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];
let outcome: Outcome;

const json = (...path: string[]): Record<string, unknown> => JSON.parse(readFileSync(join(...path), 'utf8'));
const typesOf = (path: string): string[] =>
  readdirSync(path)
    .filter((name) => /^model.*safetensors$/.test(name))
    .flatMap((name) => [...new TensorFile(join(path, name)).tensors.values()].map(({ dtype }) => dtype))
    .filter((dtype, i, all) => all.indexOf(dtype) === i);

type Tensors = TensorFile['tensors'];
const same = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype && Buffer.from(a.data.buffer).equals(Buffer.from(b.data.buffer));

/** The options of inspect that ask for the same batch. */
const sizesOf = (request: Record<string, number>): string[] => [
  ...['--prompts', String(request['prompts']), '--samples', String(request['samplesPerPrompt'])],
  ...['--prompt-tokens', String(request['promptTokens']), '--new-tokens', String(request['newTokens'])],
  ...['--micro-batch-tokens', String(request['microBatchTokens'])],
];

before(() => {
  cpSync(checkpointPath('qwen3-bf16'), source, { recursive: true });
  cpSync(join(checkpointPath('qwen3'), 'chat_template.jinja'), join(source, 'chat_template.jinja'));
  writeFileSync(join(source, 'generation_config.json'), JSON.stringify(GENERATION));
  outcome = exitRl([...TINY, ...SHORT, ...fromFolder(source), '--set=run.maxShardBytes=100000', '--out', run]);
  cpSync(source, join(folder, 'kept'), { recursive: true });
  rmSync(source, { recursive: true }); // a run does not need the folder again
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('checkpoints are model folders with float32 weights, tokenizer, template and generation_config', () => {
  assert.equal(outcome.code, 0, outcome.stderr);
  const names = readdirSync(CHECKPOINT);
  for (const name of ['config.json', 'model.safetensors.index.json', 'optimizer.safetensors', 'state.json']) {
    assert.ok(names.includes(name), names.join(' '));
  }
  for (const name of TRAVEL) {
    assert.ok(readFileSync(join(CHECKPOINT, name)).equals(readFileSync(join(folder, 'kept', name))), name);
  }
  assert.deepEqual(typesOf(CHECKPOINT), ['F32']);
  assert.equal(json(CHECKPOINT, 'config.json')['dtype'], 'float32');
});

test('generation_config decides how evaluations sample, unless told otherwise', () => {
  const curve = json(run, 'evaluation.json');
  assert.deepEqual([curve['temperature'], curve['topK'], curve['topP']], [0.7, 5, 1]);
  assert.deepEqual(curve['stopTokens'], [307, 310]);
  const evaluation = (...args: string[]): Record<string, unknown> =>
    JSON.parse(exitRl(['eval', run, '--k', '0', '--instances', '8', '--json', ...args]).stdout).improve;
  assert.deepEqual([evaluation()['temperature'], evaluation()['topK']], [0.7, 5]);
  const told = evaluation('--temperature', '0.3', '--top-p', '0.5', '--min-p=0.1', '--repetition-penalty=1.2');
  assert.deepEqual(
    ['temperature', 'topK', 'topP', 'minP', 'repetitionPenalty'].map((key) => told[key]),
    [0.3, 5, 0.5, 0.1, 1.2],
  );
  assert.match(exitRl(['eval', run, '--top-p', '2']).stderr, /--top-p 2: expected a number from 0 to 1/);
  assert.match(
    exitRl(['eval', run, '--temperature', '0', '--samples', '2']).stderr,
    /sampling is greedy and all would be the same/,
  );
});

test('export writes the types of the source, with everything another tool needs', () =>
  inTemporaryFolder((other) => {
    const [out, again, wide] = ['out', 'again', 'wide'].map((name) => join(other, name)) as [string, string, string];
    const { code, stdout, stderr } = exitRl(['export', run, out]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^improve .*step-000002\), 97728 parameters/);
    assert.deepEqual(readdirSync(out).sort(), [...TRAVEL, 'config.json', 'model.safetensors'].sort());
    assert.deepEqual(typesOf(out), ['BF16']);
    assert.equal(json(out, 'config.json')['dtype'], 'bfloat16');
    assert.equal(exitRl(['export', out, again]).code, 0);
    for (const name of readdirSync(out)) {
      assert.ok(readFileSync(join(again, name)).equals(readFileSync(join(out, name))), name);
    }
    assert.equal(exitRl(['export', CHECKPOINT, wide, '--dtype', 'float32', '--max-shard-size', '0.1MB']).code, 0);
    assert.deepEqual(typesOf(wide), ['F32']);
    assert.ok(readdirSync(wide).includes('model-00001-of-00005.safetensors'), readdirSync(wide).join(' '));
    const twice = exitRl(['export', run, out]);
    assert.deepEqual([twice.code, /is there already and not empty/.test(twice.stderr)], [2, true]);
    assert.match(
      exitRl(['export', run, join(other, 'x'), '--dtype', 'bf16']).stderr,
      /did you mean|expected one of source/,
    );
    assert.match(exitRl(['export', run, join(other, 'x'), '--max-shard-size', '5 apples']).stderr, /expected a size/);
  }));

test('a run that started from a folder goes on without it', () => {
  const again = exitRl(['train', '--resume', run]);
  assert.equal(again.code, 0, again.stderr);
});

test('inspect describes the model of a run and what fits', () => {
  const { code, stdout, stderr } = exitRl(['inspect', run, '--json']);
  assert.equal(code, 0, stderr);
  const facts = JSON.parse(stdout);
  assert.deepEqual([facts.architecture, facts.parameters, facts.vocabulary], ['Qwen3ForCausalLM', 97728, 320]);
  assert.deepEqual(facts.types, { F32: { tensors: 24, parameters: 97728, bytes: 390912 } });
  assert.deepEqual(facts.tokenizer, ['tokenizer.json', 'tokenizer_config.json']);
  assert.deepEqual(facts.chatTemplate, ['chat_template.jinja', 'tokenizer_config.json']);
  assert.deepEqual(facts.generation.ignored, ['num_beams']);
  const { inference, training, machine, largest } = facts.memory;
  assert.ok(inference.fits && training.fits && largest.sequences > 1 && largest.microBatchTokens > 256);
  assert.ok(training.plan.total > inference.plan.total && machine.total > training.plan.total);
  assert.deepEqual([training.request.prompts, training.request.samplesPerPrompt], [6, 4]); // as configured
  const text = exitRl([
    'inspect',
    join(folder, 'kept'),
    '--prompts',
    '2',
    '--new-tokens',
    '100',
    '--prompt-tokens',
    '100',
    '--tensors',
  ]);
  assert.match(text.stdout, /architecture +Qwen3ForCausalLM \(qwen3\)/);
  assert.match(text.stdout, /BF16 +24 tensors/);
  assert.match(text.stdout, /top-k 5, end of text 307, 310, not followed: num_beams/);
  assert.match(text.stdout, /16 sequences of 200 tokens at once/);
  assert.match(text.stdout, /model\.layers\.1\.mlp\.down_proj\.weight +BF16 +64 x 72/);
  assert.match(exitRl(['inspect', run, '--new-tokens', '1000']).stderr, /more than the model's 256 positions/);
});

test('what cannot be inspected says which file and why', () =>
  inTemporaryFolder((other) => {
    const broken = (change: (path: string) => void): string => {
      const path = mkdtempSync(join(other, 'x-'));
      cpSync(join(folder, 'kept'), path, { recursive: true });
      change(path);
      const { code, stderr } = exitRl(['inspect', path]);
      assert.notEqual(code, 0);
      return stderr;
    };
    assert.match(
      broken((path) => rmSync(join(path, 'config.json'))),
      /neither a model folder .* nor a run/,
    );
    assert.match(
      broken((path) => rmSync(join(path, 'model.safetensors'))),
      /found neither model\.safetensors nor/,
    );
    assert.match(
      broken((path) => writeFileSync(join(path, 'config.json'), '{')),
      /config\.json:1:2: not valid JSON/,
    );
    assert.match(
      broken((path) => writeFileSync(join(path, 'tokenizer_config.json'), '[]')),
      /tokenizer_config\.json must hold a JSON object/,
    );
    assert.match(
      broken((path) => writeFileSync(join(path, 'generation_config.json'), '{"temperature": "hot"}')),
      /generation_config\.json: temperature: /,
    );
    const config = json(folder, 'kept', 'config.json');
    assert.match(
      broken((path) => writeFileSync(join(path, 'config.json'), JSON.stringify({ ...config, vocab_size: 321 }))),
      /"model\.embed_tokens\.weight" has shape \[320, 64\], config\.json asks for \[321, 64\]/,
    );
  }));

test('training refuses a folder whose generation_config makes no sense, before it trains', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'model');
    cpSync(join(folder, 'kept'), path, { recursive: true });
    writeFileSync(join(path, 'generation_config.json'), '{"eos_token_id": 5000}');
    const { code, stderr } = exitRl([...TINY, ...SHORT, ...fromFolder(path), '--out', join(other, 'run')]);
    assert.equal(code, 1);
    assert.match(stderr, /generation_config\.json: eos_token_id: 5000 is outside of the vocabulary of 320 tokens/);
  }));

test('an adapter is exported merged into its base and inspected beside it', () =>
  inTemporaryFolder((other) => {
    const [base, path, out] = [join(folder, 'kept'), join(other, 'run'), join(other, 'out')];
    const lora = '--set=model.lora={rank: 2, alpha: 8, targets: [v_proj]}';
    const trained = exitRl([...TINY, ...SHORT, ...fromFolder(base), lora, '--out', path]);
    assert.equal(trained.code, 0, trained.stderr);
    const exported = exitRl(['export', path, out]);
    assert.equal(exported.code, 0, exported.stderr);
    const [merged, before] = [out, base].map((at) => new TensorFile(join(at, 'model.safetensors')).tensors) as [
      Tensors,
      Tensors,
    ];
    const changed = [...before.keys()].filter((name) => !same(merged.get(name)!, before.get(name)!));
    assert.ok(changed.length > 0 && changed.every((name) => name.endsWith('v_proj.weight')), changed.join(' '));
    for (const name of TRAVEL) assert.ok(readFileSync(join(out, name)).equals(readFileSync(join(base, name))), name);

    const facts = JSON.parse(exitRl(['inspect', path, '--json']).stdout);
    assert.deepEqual(
      [facts.adapter.rank, facts.adapter.parameters, facts.types.BF16.tensors],
      [2, 2 * 2 * (64 + 64), 24],
    );
    const whole = JSON.parse(exitRl(['inspect', out, '--json', ...sizesOf(facts.memory.training.request)]).stdout);
    assert.ok(facts.memory.training.plan.total < whole.memory.training.plan.total);
    assert.match(exitRl(['inspect', path]).stdout, /adapter .*rank 2, alpha 8, \d+ parameters on v_proj/);
    const half = JSON.parse(exitRl(['inspect', out, '--json', '--dtype', 'bfloat16']).stdout);
    assert.ok(
      half.memory.inference.plan.total <
        JSON.parse(exitRl(['inspect', out, '--json']).stdout).memory.inference.plan.total,
    );
  }));

test('a fresh model says how it was sampled, and several models ask for a choice', () =>
  inTemporaryFolder((other) => {
    const path = join(other, 'run');
    const options = ['--set=warmup.steps=1', '--set=train.steps=1', '--set=evaluation.every=0', '--set=rollout.topK=3'];
    assert.equal(exitRl([...TINY, ...options, '--out', path]).code, 0);
    const checkpoint = join(path, 'improve', 'checkpoints', 'step-000001');
    const {
      do_sample: sampled,
      temperature,
      top_k: topK,
      eos_token_id: eos,
    } = json(checkpoint, 'generation_config.json');
    assert.deepEqual([sampled, temperature, topK, eos], [true, 1, 3, undefined]);
    assert.deepEqual(json(checkpoint, 'config.json')['eos_token_id'], null);
    assert.equal(json(path, 'improve', 'evaluation.json')['topK'], 0); // evaluations of fresh models are plain
    for (const command of [
      ['export', path, join(other, 'out')],
      ['inspect', path],
    ]) {
      const { code, stderr } = exitRl(command);
      assert.equal(code, 2);
      assert.match(stderr, /several models; choose one of: .*warmup.*step-000001, .*grpo, .*improve/);
    }
    assert.equal(exitRl(['export', join(path, 'grpo'), join(other, 'out')]).code, 0);
    assert.equal(exitRl(['inspect', join(path, 'warmup', 'checkpoints', 'step-000001')]).code, 0);
  }));
