// Which part of a rendered conversation the assistant said: what follows a generation prompt, up to and with the token
// that ends the turn.
import { UserError } from '../../errors.ts';
import type { ChatTemplate, Rendered, RenderRequest } from './chat-template.ts';
import type { Message } from '../messages.ts';
import { extract, freeCharacters } from './sentinels.ts';
import type { PlacedToken, Tokenizer } from '../tokenizer.ts';

/** Code units [start, end) of a text. */
export type Span = readonly [start: number, end: number];

/**
 * Spans of `rendered` = `template.render(request, { generation: true })` that the assistant said: the {% generation %}
 * blocks, or without such what follows a generation prompt. Throws a `UserError` where the template does not show it.
 */
export function assistantSpans(
  template: ChatTemplate,
  tokenizer: Tokenizer,
  request: RenderRequest,
  rendered: Rendered,
): readonly Span[] {
  if (rendered.generation !== null) return rendered.generation;
  return request.messages.flatMap((message, i) => {
    if (message.role !== 'assistant') return [];
    const answer = new Answer(template, tokenizer, request, rendered, i);
    const start = answer.start();
    return [[start, answer.end(start)]];
  });
}

/** The specials that end a text, with nothing but white space between and behind them, from `start` on. */
export function endOfTurn(tokenizer: Tokenizer, { text, guards }: Rendered, start: number): PlacedToken[] {
  const tokens = tokenizer.specialTokensIn(text, guards).filter((token) => token.start >= start);
  let first = tokens.length;
  let end = text.length;
  while (first > 0 && text.slice(tokens[first - 1]!.end, end).trim() === '') end = tokens[--first]!.start;
  return tokens.slice(first);
}

/** Message i of a conversation. */
class Answer {
  private readonly template: ChatTemplate;
  private readonly tokenizer: Tokenizer;
  private readonly request: RenderRequest;
  private readonly whole: Rendered;
  private readonly i: number;

  constructor(template: ChatTemplate, tokenizer: Tokenizer, request: RenderRequest, whole: Rendered, i: number) {
    this.template = template;
    this.tokenizer = tokenizer;
    this.request = request;
    this.whole = whole;
    this.i = i;
  }

  /** Behind what the generation prompt and the conversation have in common. */
  start(): number {
    const { text } = this.whole;
    const prompt = this.beginning(this.i, true);
    if (text.startsWith(prompt.text)) return prompt.text.length;
    // The prompt may go on with what only a new answer has, like an open <think>.
    const bare = this.i === 0 ? '' : this.beginning(this.i, false).text;
    let common = bare.length;
    while (common < prompt.text.length && prompt.text[common] === text[common]) common++;
    const tokens = this.tokenizer.specialTokensIn(prompt.text, prompt.guards).map(({ end }) => end);
    const start = Math.max(text.lastIndexOf('\n', common - 1) + 1, ...tokens.filter((end) => end <= common));
    if (!text.startsWith(bare) || !prompt.text.startsWith(bare) || start <= bare.length) throw this.unknown();
    return start;
  }

  /** Behind the token that ends the turn, in the conversation that ends here as in the one that goes on. */
  end(start: number): number {
    const { text } = this.whole;
    const until = this.beginning(this.i + 1, false);
    const ends = endOfTurn(this.tokenizer, until, start);
    if (ends.length === 0) {
      if (!text.startsWith(until.text)) throw this.unknown();
      return Math.max(start, until.text.trimEnd().length);
    }
    for (const { end } of ends.toReversed()) {
      if (text.startsWith(until.text.slice(start, end), start)) return end;
    }
    return this.endOfChanged(until, start, ends);
  }

  /** Of an answer that is rendered in another way when others follow: found by the tokens that end it. */
  private endOfChanged(until: Rendered, start: number, ends: readonly PlacedToken[]): number {
    const ending = until.text.slice(ends[0]!.start, ends.at(-1)!.end);
    const index = placesOf(this.tokenizer, until, ending, start).length - 1;
    const at = placesOf(this.tokenizer, this.whole, ending, start)[index];
    const next = this.nextContent();
    if (at === undefined || (next !== null && at >= next)) throw this.unknown();
    return at + ending.length;
  }

  /** Where the content of a message after this one begins; null if none has any. */
  private nextContent(): number | null {
    const { messages } = this.request;
    const following = messages.findIndex(
      ({ content }, j) => j > this.i && typeof content === 'string' && content.trim(),
    );
    if (following < 0) return null;
    const { content } = messages[following]! as Message & { content: string };
    const [mark] = freeCharacters([JSON.stringify(messages.map((m) => m.content)), this.whole.text], 1);
    const marked = content.replace(/\S/, (first) => mark! + first);
    const others = messages.map((message, j) => (j === following ? { ...message, content: marked } : message));
    const found = extract(this.template.render({ ...this.request, messages: others }).text, [mark!]);
    const at = found.positions[0]![0];
    if (found.text !== this.whole.text || at === undefined) throw this.unknown();
    return at;
  }

  private beginning(messages: number, addGenerationPrompt: boolean): Rendered {
    return this.template.render({
      ...this.request,
      messages: this.request.messages.slice(0, messages),
      addGenerationPrompt,
    });
  }

  private unknown(): UserError {
    return new UserError(
      `the chat template does not show which tokens of messages[${this.i}] the assistant said: it renders earlier ` +
        'messages in another way when others follow; add {% generation %} and {% endgeneration %} to it',
    );
  }
}

/** Where `ending`, which begins with a special token, stands in a text behind `start`. */
function placesOf(tokenizer: Tokenizer, { text, guards }: Rendered, ending: string, start: number): number[] {
  const places = tokenizer.specialTokensIn(text, guards).map((token) => token.start);
  return places.filter((at) => at >= start && text.startsWith(ending, at));
}
