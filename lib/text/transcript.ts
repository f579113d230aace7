// A conversation whose answers are sampled. Tokens are only ever appended: what the model said is never tokenised
// again, and what comes next is what the template puts behind an answer.
import { UserError } from '../errors.ts';
import { endOfTurn } from './templates/assistant-spans.ts';
import type { ChatTemplate, Rendered, RenderRequest } from './templates/chat-template.ts';
import { checkMessages, type Message } from './messages.ts';
import { freeCharacters } from './templates/sentinels.ts';
import { TokenList } from './encoding/token-list.ts';
import type { Tokenizer } from './tokenizer.ts';

export interface SampledOptions {
  /** What the answer was read as; a template wants its tool calls before it renders their results. */
  readonly message?: Message;
  /** Whether the model ended its turn. Default: whether the last token is a special one. */
  readonly ended?: boolean;
}

interface Answer {
  readonly last: number;
  readonly message: Message | undefined;
  readonly ended: boolean;
}

interface State {
  readonly list: TokenList;
  readonly mask: readonly number[];
  readonly answer: Answer | null;
}

/**
 * Made by `Chat.transcript`.
 *
 *     transcript.appendSampled(sampled); // exactly what the model gave, its stop token included
 *     transcript.append([{ role: 'tool', content: '42' }]);
 *     transcript.tokens(); // the prompt for the next answer; transcript.lossMask(): which tokens were sampled
 */
export class Transcript {
  private readonly tokenizer: Tokenizer;
  private readonly template: ChatTemplate;
  private readonly request: RenderRequest;
  private readonly list: TokenList;
  private readonly mask: number[];
  /** The answer that was appended last; null while one is awaited. */
  private answer: Answer | null;

  /** For `Chat.transcript`. `request.messages` is what precedes the first answer. */
  constructor(tokenizer: Tokenizer, template: ChatTemplate, request: RenderRequest, state?: State) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.request = { ...request, addGenerationPrompt: true };
    this.list = state?.list.copy() ?? new TokenList();
    this.mask = [...(state?.mask ?? [])];
    this.answer = state?.answer ?? null;
    if (state === undefined) this.pushRendered(template.render(this.request), true);
  }

  get length(): number {
    return this.list.length;
  }

  /** Everything so far; while an answer is awaited, the prompt for it. */
  tokens(): Int32Array {
    return this.list.take();
  }

  /** 1 for tokens that were sampled. */
  lossMask(): Uint8Array {
    return Uint8Array.from(this.mask);
  }

  /** Ids at which an answer ends: the tokenizer's eos, and what the template puts behind an answer. */
  stopTokens(): number[] {
    const { messages, placeholder } = this.placeholderTurn(undefined, []);
    const rendered = this.template.render({ ...this.request, messages, addGenerationPrompt: false });
    const ends = endOfTurn(this.tokenizer, rendered, rendered.text.lastIndexOf(placeholder)).map(({ id }) => id);
    const eos = this.tokenizer.special.get('eos_token');
    return [...new Set(eos === undefined ? ends : [eos.id, ...ends])];
  }

  /** Appends what the model said, its stop token included if it came. */
  appendSampled(tokens: Int32Array, { message, ended }: SampledOptions = {}): void {
    if (this.answer !== null) throw new UserError('the transcript has its answer; append() what follows it first');
    if (message !== undefined) checkMessages([message], false);
    const last = tokens.at(-1) ?? -1;
    this.push(tokens, 1);
    this.answer = { last, message, ended: ended ?? this.tokenizer.isSpecial(last) };
  }

  /**
   * Appends messages and the prompt for the next answer. An answer that was cut off first gets the token that ends a
   * turn (not trained on). Throws a `UserError` where the template does not show what follows an answer.
   */
  append(messages: readonly Message[], { anyRole = false }: { readonly anyRole?: boolean } = {}): void {
    if (this.answer === null) throw new UserError('the transcript awaits an answer; appendSampled() one first');
    checkMessages(messages, anyRole);
    this.pushRendered(this.behind(this.answer, messages), false);
    this.answer = null;
  }

  /** An independent copy, for several answers to one prompt. */
  fork(): Transcript {
    const { list, mask, answer } = this;
    return new Transcript(this.tokenizer, this.template, this.request, { list, mask, answer });
  }

  private pushRendered({ text, guards }: Rendered, first: boolean): void {
    this.push(this.tokenizer.encodeRequest(text, { allowSpecial: true, guards, marks: [], first }), 0);
  }

  private push(tokens: Int32Array, mask: number): void {
    this.list.append(tokens);
    for (let i = 0; i < tokens.length; i++) this.mask.push(mask);
  }

  /** What stands between the sampled tokens and the next answer. */
  private behind(answer: Answer, messages: readonly Message[]): Rendered {
    const turn = this.placeholderTurn(answer.message, messages);
    const rendered = this.template.render({ ...this.request, messages: turn.messages });
    const at = rendered.text.lastIndexOf(turn.placeholder);
    const start = at < 0 ? this.hiddenTurn(rendered, answer) : at + turn.placeholder.length;
    if (!answer.ended) return cut(rendered, start);
    const ids = this.stopTokens();
    const behind = this.tokenizer
      .specialTokensIn(rendered.text, rendered.guards)
      .filter((token) => token.start >= start);
    const last = ids.includes(answer.last) ? behind.find(({ id }) => id === answer.last) : undefined;
    const end = last ?? behind.find(({ id }) => ids.includes(id));
    // Where nothing ends the answer, the token found ends a message behind it.
    const ends = end && (answer.message?.tool_calls || rendered.text.slice(start, end.start).trim() === '');
    return cut(rendered, ends ? end.end : start);
  }

  /** Where the answer's turn begins, in templates that leave its content out when it has tool calls. */
  private hiddenTurn(rendered: Rendered, answer: Answer): number {
    const before = this.template.render({ ...this.request, addGenerationPrompt: false }).text;
    if (answer.ended && rendered.text.startsWith(before)) return before.length;
    throw new UserError('the chat template does not show what follows an answer, so the transcript cannot go on');
  }

  /** The answer becomes a placeholder: its own text could make the template render what precedes it in another way. */
  private placeholderTurn(answer: Message | undefined, messages: readonly Message[]) {
    const inputs = [this.request.messages, this.request.tools, this.request.variables, messages, answer];
    const texts = inputs.map((input) => JSON.stringify(input, (_, v) => (typeof v === 'bigint' ? null : v)) ?? '');
    const placeholder = freeCharacters(texts, 4)[3]!;
    const turn: Message = { role: 'assistant', ...answer, content: placeholder };
    return { messages: [...this.request.messages, turn, ...messages], placeholder };
  }
}

function cut({ text, guards, generation }: Rendered, start: number): Rendered {
  return { text: text.slice(start), guards: guards.filter((at) => at >= start).map((at) => at - start), generation };
}
