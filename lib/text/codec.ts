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

/** Texts that change how the beginning of a text behind them is spelled: it may share its first token with them. */
const BEFORE = ['', ' ', '\n', '.', 'a', '"', ')', ']', '}', '}}', '"}', '"}}', ']}', ']}}', '}}}', ' }', '}\n'];

function endings(tokenizer: Tokenizer, text: string): number[][] {
  const found = new Map<string, number[]>();
  for (const before of BEFORE) {
    const start = tokenizer.encode(before);
    const whole = tokenizer.encode(before + text);
    // From where the two differ: a token across the border begins with what came before, and ends with the text all the same.
    const same = start.findIndex((token, i) => token !== whole[i]);
    const own = [...whole.subarray(same < 0 ? start.length : same)];
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
