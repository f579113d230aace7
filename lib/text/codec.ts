// A tokenizer and its chat template as environments in words use them.
import type { TextCodec } from '../environments/text/codec.ts';
import { UserError } from '../errors.ts';
import { byteTokenizerFiles } from './byte-tokenizer.ts';
import { Chat } from './chat.ts';
import { Tokenizer } from './tokenizer.ts';

/** Throws a `UserError` where the template puts no token behind an answer: nothing could end one. */
export function chatCodec(chat: Chat): TextCodec {
  const { tokenizer } = chat;
  const stopTokens = chat.stopTokens();
  const end = stopTokens.at(-1);
  if (end === undefined)
    throw new UserError('the chat template ends an answer with no token, and there is no eos_token');
  return {
    vocabularySize: tokenizer.vocabularySize,
    stopTokens,
    get listsTools() {
      return listsTools(chat);
    },
    prompt: (messages, tools = null) => chat.encode(messages, { addGenerationPrompt: true, tools }),
    answer: (text) => Int32Array.of(...tokenizer.encode(text), end),
    encode: (text) => tokenizer.encode(text),
    endings: (text) => endings(tokenizer, text),
    decode: (tokens) => tokenizer.decode(tokens, { skipSpecialTokens: true }),
  };
}

/** Whether a function's name is in what the template makes of it. */
function listsTools(chat: Chat): boolean {
  const name = 'a_function_of_no_use';
  const tool = {
    type: 'function',
    function: { name, description: '', parameters: { type: 'object', properties: {} } },
  };
  try {
    return chat.render([{ role: 'user', content: 'x' }], { tools: [tool] }).includes(name);
  } catch {
    return false;
  }
}

/** Characters that change how the first token of a text is spelled. */
const BEFORE = ['', ' ', '\n', '}', ']', '.', 'a'];

function endings(tokenizer: Tokenizer, text: string): number[][] {
  const found = new Map<string, number[]>();
  for (const before of BEFORE) {
    const start = tokenizer.encode(before);
    const whole = tokenizer.encode(before + text);
    // A token across the border cannot be looked for: what it begins with is open.
    if (!start.every((token, i) => token === whole[i])) continue;
    const own = [...whole.subarray(start.length)];
    found.set(own.join(), own);
  }
  return [...found.values()].filter((tokens) => tokens.length > 0);
}

/** The chat of models that are made from nothing. */
export function byteChat(): Chat {
  const files = byteTokenizerFiles();
  const config = JSON.parse(files['tokenizer_config.json']!) as { chat_template: string };
  return new Chat(Tokenizer.fromJson(JSON.parse(files['tokenizer.json']!), config), { default: config.chat_template });
}
