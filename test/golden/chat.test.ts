// Text and ids of conversations must be exactly those of transformers, and so must the mask of assistant tokens.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Chat, ChatOptions } from '../../lib/text/chat.ts';
import { parseJson } from '../../lib/text/json.ts';
import type { Message } from '../../lib/text/messages.ts';
import { goldenChat, runs, TOKENIZERS, userError } from '../support/text.ts';

interface Conversation {
  readonly messages: Message[];
  readonly tools: unknown[] | null;
  readonly kwargs: Record<string, unknown>;
}
interface Expected {
  readonly text: string;
  readonly ids: number[];
  readonly generation_suffix: string;
  readonly generation_suffix_ids: number[];
  readonly assistant_ranges?: [number, number][];
  readonly error?: string;
}
interface Golden {
  readonly conversations: Conversation[];
  readonly expected: Record<'chatml' | 'qwen' | 'llama3', Expected[]>;
}

const file = path.join(TOKENIZERS, 'chat.json');
const golden: Golden = existsSync(file)
  ? (parseJson(readFileSync(file, 'utf8')) as Golden)
  : { conversations: [], expected: { chatml: [], qwen: [], llama3: [] } };
/** Its user writes special tokens, which the library takes for such; so do we when asked. */
const WRITES_SPECIAL_TOKENS = 16;
let exact = 0;
after(() => console.log(`golden/tokenizer/chat.json: ${exact} rendered conversations, all exact`));

const optionsOf = ({ tools, kwargs }: Conversation): ChatOptions => ({ tools, variables: kwargs, anyRole: true });
/** A template without what marks generation. */
const untagged = (source: string): string => source.replace(/\{%-?\s*(?:end)?generation\s*-?%\}/g, '');

function eachConversation(
  template: keyof Golden['expected'],
  use: (conversation: Conversation, expected: Expected, i: number) => void,
): void {
  for (const [i, expected] of golden.expected[template].entries()) use(golden.conversations[i]!, expected, i);
}

for (const template of ['chatml', 'qwen', 'llama3'] as const) {
  const chat: Chat = goldenChat(template);

  test(`${template}: text, ids and generation prompt of conversations`, () => {
    eachConversation(template, (conversation, expected, i) => {
      const { messages } = conversation;
      const options = { ...optionsOf(conversation), allowSpecial: true };
      if (expected.error !== undefined) {
        userError(
          () => chat.render(messages, options),
          /refuses the conversation: (unknown role: critic|one tool call)/,
        );
      } else {
        assert.equal(chat.render(messages, options), expected.text, `conversation ${i}`);
        assert.deepEqual([...chat.encode(messages, options)], expected.ids, `conversation ${i}`);
        const prompted = { ...options, addGenerationPrompt: true };
        assert.equal(chat.render(messages, prompted), expected.text + expected.generation_suffix);
        assert.deepEqual([...chat.encode(messages, prompted)], [...expected.ids, ...expected.generation_suffix_ids]);
      }
      exact++;
    });
  });

  test(`${template}: keeping special tokens out of messages changes only where there are some`, () => {
    eachConversation(template, (conversation, { error, text, ids }, i) => {
      if (error !== undefined) return;
      const safe = chat.encode(conversation.messages, optionsOf(conversation));
      assert.equal(chat.tokenizer.decode(safe), text);
      if (i === WRITES_SPECIAL_TOKENS) assert.notDeepEqual([...safe], ids);
      else assert.deepEqual([...safe], ids, `conversation ${i}`);
    });
  });
}

for (const [how, chat] of [
  ['marked by the template', goldenChat('chatml')],
  ['found without marks', goldenChat('chatml', untagged)],
] as const) {
  test(`chatml: assistant tokens ${how}`, () => {
    eachConversation('chatml', (conversation, { error, ids, assistant_ranges }, i) => {
      if (error !== undefined) return;
      const options = { ...optionsOf(conversation), allowSpecial: true };
      const { tokens, assistantMask } = chat.encodeMasked(conversation.messages, options);
      assert.deepEqual([...tokens], ids);
      assert.deepEqual(runs(assistantMask), assistant_ranges, `conversation ${i}`);
    });
  });
}
