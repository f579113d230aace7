// The tokenizer of models that are made from nothing: a token for every byte, and those of a conversation. Written in the
// files that every other tool reads.
import { CHARACTERS } from './encoding/byte-alphabet.ts';

const SPECIAL = ['<|end|>', '<|system|>', '<|user|>', '<|assistant|>', '<|tool|>'];

/** Tokens of the byte-level tokenizer: 256 bytes, then the special ones. */
export const BYTE_VOCABULARY: number = 256 + SPECIAL.length;

const TEMPLATE = [
  "{%- for message in messages -%}<|{{ message['role'] }}|>",
  "{%- if message['role'] == 'assistant' -%}{% generation %}{{ message['content'] }}<|end|>{% endgeneration %}",
  "{%- else -%}{{ message['content'] }}<|end|>{%- endif -%}",
  '{%- endfor -%}',
  '{%- if add_generation_prompt -%}<|assistant|>{%- endif -%}',
].join('');

/** tokenizer.json and tokenizer_config.json (with the chat template), by file name. */
export function byteTokenizerFiles(): Readonly<Record<string, string>> {
  const added = SPECIAL.map((content, i) => ({
    ...{ id: 256 + i, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  }));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  const tokenizer = {
    ...{ version: '1.0', truncation: null, padding: null, added_tokens: added, normalizer: null },
    ...{ pre_tokenizer: byteLevel, post_processor: null, decoder: byteLevel },
    model: {
      ...{ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
      ...{ fuse_unk: false, byte_fallback: false, ignore_merges: false },
      vocab: Object.fromEntries(CHARACTERS.map((character, byte) => [character, byte])),
      merges: [],
    },
  };
  const config = {
    ...{ tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: 1_000_000, clean_up_tokenization_spaces: false },
    ...{ bos_token: null, eos_token: '<|end|>', pad_token: '<|end|>', chat_template: TEMPLATE },
  };
  return {
    'tokenizer.json': `${JSON.stringify(tokenizer)}\n`,
    'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
  };
}
