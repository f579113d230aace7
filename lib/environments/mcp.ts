// mcp: requests to be fulfilled with the tools of a server of the Model Context Protocol. A turn is one answer of the model; what it
// calls is run on the server, and the results are what it sees next. An episode is worth what its last answer leaves.
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { callsMade, written } from '../mcp/calls.ts';
import { ToolServerError } from '../mcp/connection.ts';
import { callsIn, madeIn, qualityOf, replay, resultsOf, type Tools } from '../mcp/episode.ts';
import { ToolServers } from '../mcp/servers.ts';
import { type McpTask, readSplits } from '../mcp/tasks.ts';
import type { Message } from '../text/messages.ts';
import type { FunctionDocument } from '../tools/bfcl/functions.ts';
import { type CallFormat, FINISHED } from '../tools/formats/format.ts';
import { FORMATS, type FormatName } from '../tools/formats/registry.ts';
import { schemaLines, toolSchema } from '../tools/formats/schema.ts';
import { toolMessages } from '../tools/messages.ts';
import type { Mode, Split } from '../types.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import type { TextCodec } from './text/codec.ts';
import { Splits } from './splits.ts';
import { feedbackLimit, promptAndAnswer, type TextLimits } from './text/limits.ts';
import {
  storedFeedback,
  type TextAttempt,
  TextEnvironment,
  type TextTasks,
  type TextVerdict,
} from './text/text-environment.ts';

const count = z.int().min(1);

const settings = z
  .strictObject({
    name: z.literal('mcp'),
    command: z.string().min(1).nullable().default(null).describe('Program that is the server, on stdin and stdout'),
    args: z.array(z.string()).default([]).describe('Its arguments'),
    env: z
      .record(z.string(), z.string())
      .default({})
      .describe('Its environment variables, beside PATH, HOME and the like'),
    url: z.url().nullable().default(null).describe('Address of a server of streamable HTTP, instead of command'),
    tasks: z.string().min(1).describe('File of tasks, one JSON object per line: id, request, check'),
    test: z.string().min(1).nullable().default(null).describe('File of held-out tasks; null: a fifth of the others'),
    fresh: z
      .boolean()
      .default(true)
      .describe(
        'true: every episode has a server of its own, and to go on with one its calls are made again; false: one for all, which keeps no ' +
          'state',
      ),
    turns: count.max(1000).default(8).describe('Answers of an episode, at most'),
    format: z
      .enum(Object.keys(FORMATS) as [FormatName, ...FormatName[]])
      .default('tool')
      .describe('How calls are written: <tool>JSON</tool>, as Hermes and Qwen do, as Llama 3 does, or as Python'),
    concurrency: count.max(256).default(4).describe('Answers that are judged at a time'),
    seconds: z.number().positive().max(500).default(30).describe('Longest wait for the server'),
    ...promptAndAnswer(16_384, 512),
    ...feedbackLimit(1024),
  })
  .refine(({ command, url }) => (command === null) !== (url === null), { error: 'give either command or url' });

type Settings = z.infer<typeof settings>;

class McpTasks implements TextTasks<McpTask> {
  readonly name = 'mcp';
  readonly turns: number;
  readonly limits: TextLimits;
  readonly selfIterationReward = 'plain';
  readonly levels = { chance: 0 };
  readonly episodeQuality = 'last';
  readonly judging = 'slow';
  readonly references = 'best known';
  readonly sizes: Record<Split, number>;
  readonly stops: readonly string[];
  readonly #settings: Settings;
  readonly #codec: TextCodec;
  readonly #format: CallFormat;
  readonly #inTemplate: boolean;
  readonly #tasks: Splits<McpTask>;
  readonly #servers: ToolServers;
  /** Null until they have been asked for. */
  #documents: readonly FunctionDocument[] | null = null;

  constructor(given: Settings, codec: TextCodec) {
    this.#settings = given;
    this.#codec = codec;
    this.#format = FORMATS[given.format];
    this.#inTemplate = this.#format.inTemplate && codec.listsTools;
    this.turns = given.turns;
    this.limits = given;
    this.stops = this.#format.stops;
    this.#tasks = new Splits(readSplits(given.tasks, given.test));
    this.sizes = this.#tasks.sizes;
    const { command, args, env, url, fresh, concurrency, seconds } = given;
    const place = url === null ? { command: command!, args, env } : { url };
    this.#servers = new ToolServers({ place, fresh, concurrency, seconds });
  }

  task(number: number, split: Split): McpTask {
    return this.#tasks.at(number, split);
  }

  key({ request }: McpTask): string {
    return request;
  }

  /** Asks the server for its tools, once. */
  async prepare(): Promise<void> {
    if (this.#documents !== null) return;
    const { command, url } = this.#settings;
    const where = url === null ? `environment.command ${command}` : `environment.url ${url}`;
    try {
      this.#documents = await this.#servers.use((connection) => connection.tools());
    } catch (error) {
      if (!(error instanceof ToolServerError)) throw error;
      throw new UserError(`${where}: no tool server there: ${error.message}; see that it starts by itself`, {
        resumable: true,
      });
    }
    this.#requireTools(this.#documents.map(({ name }) => name));
  }

  tools(): readonly unknown[] | null {
    return this.#inTemplate ? this.#known().documents.map(toolSchema) : null;
  }

  messages({ request }: McpTask, mode: Mode, previous: TextAttempt | null, history: readonly TextAttempt[]): Message[] {
    const exchanges = history.map(({ text, feedback }) => ({
      ...{ answer: text, reply: this.#format.read(text), request: 0 },
      results: feedback === '' ? [] : [feedback],
    }));
    return toolMessages({
      task: { turns: [[{ role: 'user', content: request }]] },
      conversation: { exchanges, request: 0, givenUp: false, calls: [] },
      format: this.#format,
      functions: this.#inTemplate ? null : schemaLines(this.#known().documents),
      revision: mode === 'base' || previous === null ? null : { mode, previous },
    });
  }

  ended(_: McpTask, history: readonly TextAttempt[]): boolean {
    const { kind } = this.#format.read(history.at(-1)!.text);
    return kind === 'finished' || kind === 'given up';
  }

  async judge(task: McpTask, answer: string, history: readonly TextAttempt[]): Promise<TextVerdict> {
    const tools = this.#known();
    const reply = this.#format.read(answer);
    const unread = callsIn(reply, tools.documents).some((call) => 'problem' in call);
    const answers = [...history.map(({ text }) => text), answer];
    try {
      return await this.#servers.use(async (connection): Promise<TextVerdict> => {
        if (this.#settings.fresh) await replay(connection, history, tools, (feedback) => this.#stored(feedback));
        const feedback = await resultsOf(connection, answer, tools);
        const quality = await qualityOf(connection, task, answers, tools);
        const unfinished = reply.kind === 'none';
        return { status: unfinished || unread ? 'invalid' : 'valid', quality, feedback, unfinished };
      });
    } catch (error) {
      if (!(error instanceof ToolServerError)) throw error;
      return { status: 'infrastructure_error', reason: error.message };
    }
  }

  /** The next call that the check wants; where it says nothing of calls, the end. */
  reference({ check }: McpTask, history: readonly TextAttempt[]): string {
    const made = history.flatMap(({ text }) => madeIn(this.#format.read(text), this.#known().documents));
    const next = check.calls?.[callsMade(made, check.calls)];
    return next === undefined ? FINISHED : this.#format.write([written(next)]);
  }

  demonstration(): null {
    return null;
  }

  #known(): Tools {
    if (this.#documents === null) throw new Error('mcp: prepare() has not been called');
    return { format: this.#format, documents: this.#documents };
  }

  #stored(feedback: string): string {
    return storedFeedback(this.#codec, feedback, this.limits);
  }

  /** Complains about a task whose check calls what the server does not have. */
  #requireTools(names: readonly string[]): void {
    if (names.length === 0)
      throw new UserError('environment mcp: the server offers no tools; there is nothing to train on');
    for (const { id, check } of this.#tasks.all()) {
      const wanted = [...(check.calls ?? []), ...(check.result === undefined ? [] : [check.result])];
      const missing = wanted.find(({ name }) => !names.includes(name));
      if (missing === undefined) continue;
      throw new UserError(
        `environment.tasks ${this.#settings.tasks}: the check of task ${id} names the tool ${missing.name}; the server has ${names.join(', ')}`,
      );
    }
  }
}

export const mcp: EnvironmentType<Settings> & { readonly settings: typeof settings; readonly words: true } = {
  settings,
  words: true,
  create: (given, codec) => new TextEnvironment(new McpTasks(given, codec), codec) as Environment,
};
