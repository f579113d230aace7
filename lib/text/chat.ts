// Conversations to tokens, as the chat template of a Hugging Face folder says.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { suggestion, UserError } from '../errors.ts';
import { assistantSpans } from './templates/assistant-spans.ts';
import { ChatTemplate, type RenderRequest } from './templates/chat-template.ts';
import type { Fields } from './fields.ts';
import { readFields, readText } from './files.ts';
import { checkMessages, type Message } from './messages.ts';
import { Tokenizer } from './tokenizer.ts';
import { Transcript } from './transcript.ts';

export interface ChatOptions {
  /** JSON schemas of functions, as in the OpenAI API. */
  readonly tools?: readonly unknown[] | null;
  /** Whether the text ends with what precedes an answer. Default: false. */
  readonly addGenerationPrompt?: boolean;
  /** Further variables of the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** Which of several templates. Default: `tool_use` if there are tools and it exists, else `default`. */
  readonly template?: string;
  /** Whether text like `<|im_end|>` in messages becomes the special token, not ordinary text. Default: false. */
  readonly allowSpecial?: boolean;
  /** Whether roles are left to the template. Default: false, an unknown one is an error. */
  readonly anyRole?: boolean;
  /** The clock for `strftime_now`. Default: now. */
  readonly now?: Date;
}

export interface LoadOptions {
  /** A template in place of the folder's. */
  readonly template?: string;
  /** Whether a template may write `<|...|>` that is no token of the tokenizer. Default: false. */
  readonly allowMissingTokens?: boolean;
}

/** A conversation; `assistantMask[t]` is 1 where the assistant said token t, the end of its turn included. */
export interface MaskedTokens {
  readonly tokens: Int32Array;
  readonly assistantMask: Uint8Array;
}

/**
 * A tokenizer and its chat templates.
 *
 *     const chat = Chat.load(directory);
 *     const { tokens, assistantMask } = chat.encodeMasked(messages, { tools }); // to train on
 *     const transcript = chat.transcript(messages); // to sample: transcript.tokens() until one of chat.stopTokens()
 */
export class Chat {
  readonly tokenizer: Tokenizer;
  private readonly templates: ReadonlyMap<string, ChatTemplate>;
  private readonly where: string;

  /**
   * The tokenizer of a folder with chat_template.jinja and additional_chat_templates/NAME.jinja, or without those
   * `chat_template` of tokenizer_config.json. Throws a `UserError` where there is none.
   */
  static load(directory: string, options: LoadOptions = {}): Chat {
    const sources = options.template === undefined ? findTemplates(directory) : { default: options.template };
    return new Chat(Tokenizer.load(directory), sources, options, directory);
  }

  /** `sources`: Jinja source by template name. */
  constructor(
    tokenizer: Tokenizer,
    sources: Readonly<Record<string, string>>,
    { allowMissingTokens = false }: LoadOptions = {},
    where = 'the chat',
  ) {
    this.tokenizer = tokenizer;
    this.where = where;
    const compiled = Object.entries(sources).map(([name, source]) => {
      const template = new ChatTemplate(source, tokenizer, `chat template "${name}" of ${where}`, allowMissingTokens);
      return [name, template] as const;
    });
    this.templates = new Map(compiled);
  }

  get templateNames(): string[] {
    return [...this.templates.keys()];
  }

  /** The conversation as text. `encode` tells special tokens of the template from such text in messages. */
  render(messages: readonly Message[], options: ChatOptions = {}): string {
    return this.template(options).render(this.request(messages, options)).text;
  }

  encode(messages: readonly Message[], options: ChatOptions = {}): Int32Array {
    const { text, guards } = this.template(options).render(this.request(messages, options));
    return this.tokenizer.encodeRequest(text, { allowSpecial: true, guards, marks: [], first: true });
  }

  /**
   * Tokens, and which of them the assistant said. Without {% generation %} blocks in the template it is rendered twice
   * more for every answer. Throws a `UserError` where the template does not let it be known.
   */
  encodeMasked(messages: readonly Message[], options: ChatOptions = {}): MaskedTokens {
    const [template, request] = [this.template(options), this.request(messages, options)];
    const rendered = template.render(request, { generation: true });
    const spans = assistantSpans(template, this.tokenizer, request, rendered);
    const marks = spans.map(([start, end]) => [
      { at: start, up: false, token: 0 },
      { at: end, up: true, token: 0 },
    ]);
    const { text, guards } = rendered;
    const tokens = this.tokenizer.encodeRequest(text, { allowSpecial: true, guards, marks: marks.flat(), first: true });
    const assistantMask = new Uint8Array(tokens.length);
    for (const [i, [start, end]] of spans.entries()) {
      if (start < end) assistantMask.fill(1, marks[i]![0]!.token, marks[i]![1]!.token);
    }
    return { tokens, assistantMask };
  }

  /** A conversation that goes on: its tokens end with the generation prompt, what is sampled is appended as it is. */
  transcript(messages: readonly Message[], options: ChatOptions = {}): Transcript {
    return new Transcript(this.tokenizer, this.template(options), this.request(messages, options));
  }

  /** Ids at which an answer ends: the tokenizer's eos, and what the template puts behind an answer. */
  stopTokens(options: ChatOptions = {}): number[] {
    return this.transcript([{ role: 'user', content: 'x' }], options).stopTokens();
  }

  private template({ template, tools }: ChatOptions): ChatTemplate {
    const name = template ?? (tools && this.templates.has('tool_use') ? 'tool_use' : 'default');
    const found = this.templates.get(name);
    if (found !== undefined) return found;
    const names = this.templateNames;
    const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
    throw new UserError(`${this.where} has no chat template "${name}"${suggestion(name, names)}; ${known}`);
  }

  private request(messages: readonly Message[], options: ChatOptions): RenderRequest {
    checkMessages(messages, options.anyRole ?? false);
    return {
      messages,
      tools: options.tools ?? null,
      addGenerationPrompt: options.addGenerationPrompt ?? false,
      variables: options.variables ?? {},
      allowSpecial: options.allowSpecial ?? false,
      now: options.now ?? new Date(),
    };
  }
}

function findTemplates(directory: string): Record<string, string> {
  const sources: Record<string, string> = {};
  const own = readText(path.join(directory, 'chat_template.jinja'));
  if (own !== null) sources['default'] = own;
  const additional = path.join(directory, 'additional_chat_templates');
  for (const file of listFiles(additional)) {
    if (file.endsWith('.jinja')) sources[path.basename(file, '.jinja')] = readText(path.join(additional, file))!;
  }
  if (Object.keys(sources).length > 0) return sources;
  const config = readFields(path.join(directory, 'tokenizer_config.json'));
  const found = config === null ? {} : configTemplates(config);
  if (Object.keys(found).length > 0) return found;
  throw new UserError(
    `${directory} has no chat template: neither chat_template.jinja nor "chat_template" in tokenizer_config.json; ` +
      'a base model has none, then give one',
  );
}

/** `chat_template` is one template, or a list of {name, template}. */
function configTemplates(config: Fields): Record<string, string> {
  const value = config.get('chat_template');
  if (value === null) return {};
  if (!Array.isArray(value)) return { default: config.string('chat_template') };
  return Object.fromEntries(
    config.objects('chat_template').map((entry) => [entry.string('name'), entry.string('template')]),
  );
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
