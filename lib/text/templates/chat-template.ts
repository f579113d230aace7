// One chat template: messages to text, and where in that text things come from.
import { UserError } from '../../errors.ts';
import { JinjaTemplate } from './jinja.ts';
import { TemplateRefusal } from './jinja-globals.ts';
import type { RuntimeValue } from './jinja-package.ts';
import type { Message } from '../messages.ts';
import { toRuntime } from './python-values.ts';
import { extract, freeCharacters } from './sentinels.ts';
import { SpecialGuard } from './special-guard.ts';
import { SPECIAL_TOKEN_ROLES } from '../encoding/special-tokens.ts';
import type { Tokenizer } from '../tokenizer.ts';

export interface RenderRequest {
  readonly messages: readonly Message[];
  readonly tools: readonly unknown[] | null;
  readonly addGenerationPrompt: boolean;
  /** Further variables of the template. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Whether text of special tokens in messages may become special tokens. */
  readonly allowSpecial: boolean;
  /** The clock that a template sees. */
  readonly now: Date;
}

/** Positions are UTF-16 code units of `text`. */
export interface Rendered {
  readonly text: string;
  /** Characters that no special token may have, because they come from the messages. */
  readonly guards: readonly number[];
  /** What the {% generation %} blocks put out, [start, end); null if there are none, or nobody asked. */
  readonly generation: readonly (readonly [start: number, end: number])[] | null;
}

const NO_MARKS = { begin: '', end: '' };
/** Text that looks like a special token: <|...|>, with ordinary or full-width bars. */
const TOKEN_LIKE = /<([|\uff5c])[^<>|\uff5c\s]{1,64}\1>/g;

export class ChatTemplate {
  private readonly template: JinjaTemplate;
  private readonly source: string;
  private readonly where: string;
  private readonly guard: SpecialGuard;
  private readonly tokens: Readonly<Record<string, string>>;
  /** Token-like text of the template that is no token. */
  private readonly missing: readonly string[];

  /** `where` is for messages. `allowMissingTokens`: what looks like a special token but is none is ordinary text. */
  constructor(source: string, tokenizer: Tokenizer, where: string, allowMissingTokens: boolean) {
    const checked = new Set<string>(allowMissingTokens ? [] : SPECIAL_TOKEN_ROLES);
    this.template = new JinjaTemplate(source, checked, where);
    this.source = source;
    this.where = where;
    this.guard = new SpecialGuard(tokenizer.specialSpellings());
    this.tokens = Object.fromEntries(Array.from(tokenizer.special, ([role, { content }]) => [role, content]));
    const added = new Set(tokenizer.addedTokens.map(({ content }) => content));
    const tokenLike = this.template.literals.flatMap((literal) => literal.match(TOKEN_LIKE) ?? []);
    this.missing = allowMissingTokens ? [] : [...new Set(tokenLike)].filter((text) => !added.has(text));
  }

  /** Throws a `UserError` where the template refuses the messages or fails. */
  render(request: RenderRequest, { generation = false }: { readonly generation?: boolean } = {}): Rendered {
    const texts: string[] = [];
    const text = this.run(request, NO_MARKS, (input) => {
      texts.push(input);
      return input;
    });
    this.checkTokens(text, texts);
    const marksGeneration = generation && this.template.marksGeneration;
    const guarded = !request.allowSpecial && texts.some((input) => this.guard.find(input).length > 0);
    if (!guarded && !marksGeneration) return { text, guards: [], generation: null };

    // A second time with sentinels: without them it must be the same text, else their places mean nothing.
    const sentinels = freeCharacters([this.source, ...texts], 3);
    const [guard, begin, end] = sentinels as [string, string, string];
    const marked = this.marked(request, guarded, guard, { begin, end });
    const found = extract(marked, sentinels);
    if (found.text !== text) throw this.unclear(guarded);
    const [behind, begins, ends] = found.positions as [number[], number[], number[]];
    const blocks = begins.map((start, i) => [start, ends[i]!] as const);
    return { text, guards: behind.map((at) => at - 1), generation: marksGeneration ? blocks : null };
  }

  private marked(request: RenderRequest, guarded: boolean, guard: string, marks: typeof NO_MARKS): string {
    try {
      return this.run(request, marks, (input) => (guarded ? this.guard.mark(input, guard) : input));
    } catch {
      throw this.unclear(guarded);
    }
  }

  private run(request: RenderRequest, marks: typeof NO_MARKS, text: (text: string) => string): string {
    const variables = new Map<string, RuntimeValue>();
    const set = (name: string, value: unknown, change = text): void => {
      variables.set(name, toRuntime(value, change, name));
    };
    for (const [role, content] of Object.entries(this.tokens)) set(role, content, (own) => own);
    const { messages, tools, addGenerationPrompt } = request;
    const given = {
      tools,
      documents: null,
      ...request.variables,
      messages,
      add_generation_prompt: addGenerationPrompt,
    };
    for (const [name, value] of Object.entries(given)) set(name, value);
    try {
      return this.template.render(variables, marks, request.now);
    } catch (error) {
      const how = error instanceof TemplateRefusal ? 'refuses the conversation' : 'failed';
      throw new UserError(`${this.where} ${how}: ${(error as Error).message}`, { cause: error });
    }
  }

  private checkTokens(text: string, inputs: readonly string[]): void {
    for (const token of this.missing) {
      const own = occurrences(text, token) - inputs.reduce((sum, input) => sum + occurrences(input, token), 0);
      if (own <= 0) continue;
      throw new UserError(
        `${this.where} writes ${token}, which is no token of the tokenizer; ` +
          'use the tokenizer that belongs to the template, or allowMissingTokens to spell it as ordinary text',
      );
    }
  }

  private unclear(guarded: boolean): UserError {
    if (!guarded) return new UserError(`${this.where} changes what its {% generation %} blocks put out; mask unknown`);
    return new UserError(
      `${this.where} changes text with special tokens in it, so what comes from the messages cannot be told from ` +
        'what the template writes; take the special tokens out of the messages, or set allowSpecial',
    );
  }
}

function occurrences(text: string, part: string): number {
  return text.split(part).length - 1;
}
