// Damaged tokenizer.json, tokenizer_config.json and chat templates: each loads or is refused with a UserError, and what
// loads encodes, decodes and renders, or refuses to. EXIT_RL_FUZZ sets how many are tried.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { Random } from '../../lib/rng.ts';
import { Chat } from '../../lib/text/chat.ts';
import { Tokenizer } from '../../lib/text/tokenizer.ts';
import { damagedJson, damageText } from '../support/mutate.ts';
import { goldenTemplate, type Json, readJson } from '../support/text.ts';

const TRIES = Number(process.env['EXIT_RL_FUZZ'] || 400);
const NAMES = ['bpe-gpt2', 'bpe-qwen2', 'bpe-llama3', 'bpe-spm'];
const TEXTS = ['', " the tree's 12345 ½\n\n  x", '<|im_end|><s>tool 你好🙂\ud800', 'e\u0301▁▁a'];
const MESSAGES = [
  { role: 'system', content: 'short' },
  { role: 'user', content: 'hi <|im_end|>' },
  { role: 'assistant', content: '<think>\nx\n</think>\n\ny' },
];

/** A small vocabulary: most damage should hit something else. */
function shrunk(name: string): Json {
  const file = readJson(name, 'tokenizer.json');
  const model = file['model'] as { vocab: Record<string, number>; merges: [string, string][] };
  model.merges = model.merges.slice(0, 20);
  const kept = new Set(model.merges.map((pair) => pair.join('')));
  model.vocab = Object.fromEntries(
    Object.entries(model.vocab).filter(([token]) => token.length < 2 || /^</.test(token) || kept.has(token)),
  );
  return file;
}

function use(tokenizer: Tokenizer, random: Random): void {
  for (const text of TEXTS) {
    const ids = tokenizer.encode(text, { allowSpecial: random.chance(0.5), addSpecialTokens: true });
    assert.equal(typeof tokenizer.decode(ids), 'string');
  }
  tokenizer.decode(Array.from({ length: 12 }, () => random.below(tokenizer.vocabularySize + 2)));
}

/** How a try ended; anything but success and a UserError fails the test. */
function outcome(what: string, action: () => void): 'loaded' | 'refused' {
  try {
    action();
    return 'loaded';
  } catch (error) {
    if (error instanceof UserError) return 'refused';
    throw new Error(`${what}: ${(error as Error).stack}`, { cause: error });
  }
}

function fuzz(name: string, attempt: (random: Random, i: number) => void): void {
  test(`${name}: ${TRIES} damaged files load or are refused`, () => {
    const counts = { loaded: 0, refused: 0 };
    for (let i = 0; i < TRIES; i++) {
      counts[outcome(`${name}, try ${i}`, () => attempt(new Random(11, name, i), i))]++;
    }
    console.log(`${name}: ${counts.loaded} loaded, ${counts.refused} refused`);
    assert.ok(counts.loaded > TRIES / 50 && counts.refused > TRIES / 50, 'damage of both kinds');
  });
}

const parsed = (text: string, what: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(what, { cause: error });
  }
};

const files = NAMES.map(shrunk);
fuzz('tokenizer.json', (random, i) => {
  const file = parsed(damagedJson(random, files[i % files.length]), 'not JSON');
  use(Tokenizer.fromJson(file, i % 4 === 3 ? { eos_token: '</s>' } : {}), random);
});

const [, small] = files;
const config = {
  ...readJson('bpe-qwen2', 'tokenizer_config.json'),
  add_bos_token: false,
  additional_special_tokens: ['<|im_start|>'],
  added_tokens_decoder: {
    900: { content: '<x>', special: true, lstrip: true },
    901: { content: 'yy', single_word: true },
  },
};
fuzz('tokenizer_config.json', (random) => {
  use(Tokenizer.fromJson(small, parsed(damagedJson(random, config), 'not JSON')), random);
});

const tokenizer = Tokenizer.fromJson(small, config);
const templates = ['chatml', 'qwen'].map(goldenTemplate);
fuzz('chat_template.jinja', (random, i) => {
  const source = damageText(random, templates[i % 2]!);
  const chat = new Chat(tokenizer, { default: source });
  chat.encodeMasked(MESSAGES);
});
