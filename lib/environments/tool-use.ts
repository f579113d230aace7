// tool_use: requests to be fulfilled by calling functions of simulated APIs. A turn is one answer of the model; what it calls is run,
// and the results are what it sees next. An episode is worth what its last answer leaves: whether the state is that of the ground
// truth, and the ground truth's calls are among those made (arXiv 2509.04575).
import { z } from 'zod';
import type { Random } from '../rng.ts';
import type { Message } from '../text/messages.ts';
import { check } from '../tools/bfcl/check.ts';
import { type FunctionDocuments, functionsOf, readFunctions } from '../tools/bfcl/functions.ts';
import { callsLeft } from '../tools/bfcl/next-call.ts';
import { splitOf } from '../tools/bfcl/split.ts';
import { readTaskFolder, type ToolTask } from '../tools/bfcl/tasks.ts';
import { type Conversation, converse } from '../tools/conversation.ts';
import { type CallFormat, FINISHED } from '../tools/formats/format.ts';
import { FORMATS, type FormatName } from '../tools/formats/registry.ts';
import { schemaLines, signatureLines, toolSchema } from '../tools/formats/schema.ts';
import { FAMILIES } from '../tools/made/registry.ts';
import { slipped } from '../tools/made/slip.ts';
import { madeDocuments, makeTask } from '../tools/made/tasks.ts';
import { toolMessages } from '../tools/messages.ts';
import type { Clock } from '../tools/simulator.ts';
import type { Mode, Split } from '../types.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import { drawInSplit } from './fixed-prompt.ts';
import { Splits } from './splits.ts';
import { feedbackLimit, promptAndAnswer, type TextLimits } from './text/limits.ts';
import {
  type TextAttempt,
  type TextDemonstration,
  TextEnvironment,
  type TextTasks,
  type TextVerdict,
} from './text/text-environment.ts';

const CLASSES = FAMILIES.map(({ className }) => className) as [string, ...string[]];
const ids = z.array(z.string().min(1)).min(1).nullable().default(null);
const which = z.enum(['first', 'all']);
const most = z.int().min(1).max(1000);

const settings = z.strictObject({
  name: z.literal('tool_use'),
  data: z
    .string()
    .nullable()
    .default(null)
    .describe('Folder with the multi-turn base tasks of BFCL, their answers and function documents; null: made tasks'),
  train: ids.describe('Ids of tasks to train on; null: half of them, alike in turns and APIs'),
  test: ids.describe('Ids of tasks to evaluate on; null: the others'),
  classes: z.array(z.enum(CLASSES)).min(1).default(CLASSES).describe('APIs of made tasks'),
  mixed: z.int().min(1).max(8).default(1).describe('APIs in a made task, at most'),
  requests: z.int().min(1).max(16).default(3).describe('Requests of a made task'),
  trainRequests: which.default('first').describe('Requests of a training episode: the first one, or all'),
  testRequests: which.default('all').describe('Requests of an evaluation episode'),
  trainTurns: most.default(10).describe('Answers of a training episode, at most'),
  testTurns: most.default(60).describe('Answers of an evaluation episode, at most'),
  format: z
    .enum(Object.keys(FORMATS) as [FormatName, ...FormatName[]])
    .default('tool')
    .describe('How calls are written: <tool>JSON</tool>, as Hermes and Qwen do, as Llama 3 does, or as Python'),
  documents: z
    .enum(['schema', 'signature', 'none'])
    .default('schema')
    .describe('How the first message describes the functions: JSON schemas, a line each, or not at all'),
  quality: z
    .enum(['exact', 'official', 'graded'])
    .nullable()
    .default(null)
    .describe(
      'exact: 1 where final state and calls are right; official: 1 where every turn passes the checks of BFCL; graded: how much is ' +
        'right; null: exact for a folder, graded for made tasks',
    ),
  ...promptAndAnswer(16_384, 512),
  ...feedbackLimit(1024),
});

type Settings = z.infer<typeof settings>;

interface Instance {
  readonly task: ToolTask;
  /** So many of its requests are made, from the first. */
  readonly requests: number;
  /** Answers, at most. */
  readonly turns: number;
}

/** Always the same, so that verdicts repeat. */
const CLOCK: Clock = { now: () => Date.UTC(2026, 0, 1) };

/** More than that is only for what passes. */
const ALMOST = 0.9;

class ToolTasks implements TextTasks<Instance> {
  readonly name = 'tool_use';
  readonly turns: number;
  readonly limits: TextLimits;
  readonly selfIterationReward = 'plain';
  readonly levels = { chance: 0 };
  readonly episodeQuality = 'last';
  readonly references = 'best known';
  readonly sizes: Environment['sizes'];
  readonly stops: readonly string[];
  readonly #settings: Settings;
  readonly #quality: 'exact' | 'official' | 'graded';
  readonly #format: CallFormat;
  readonly #inTemplate: boolean;
  readonly #documents: FunctionDocuments;
  readonly #tasks: Splits<ToolTask> | null;

  /** `inTemplate`: the chat template lists the functions. */
  constructor(given: Settings, inTemplate: boolean) {
    this.#settings = given;
    this.#inTemplate = inTemplate;
    this.#format = FORMATS[given.format];
    this.#quality = given.quality ?? (given.data === null ? 'graded' : 'exact');
    this.turns = Math.max(given.trainTurns, given.testTurns);
    this.limits = given;
    this.stops = this.#format.stops;
    this.#tasks = given.data === null ? null : new Splits(splitOf(readTaskFolder(given.data), given.data, given));
    this.#documents = given.data === null ? madeDocuments() : readFunctions(given.data);
    this.sizes = this.#tasks?.sizes;
  }

  task(number: number, split: Split): Instance {
    const task = this.#tasks?.at(number, split) ?? this.#made(number, split);
    const { trainRequests, testRequests, trainTurns, testTurns } = this.#settings;
    const [asked, turns] = split === 'train' ? [trainRequests, trainTurns] : [testRequests, testTurns];
    return { task, requests: asked === 'first' ? 1 : task.turns.length, turns };
  }

  key({ task }: Instance): string {
    return this.#tasks === null ? contentOf(task) : task.id;
  }

  tools({ task }: Instance): readonly unknown[] | null {
    return this.#inTemplate ? functionsOf(this.#documents, task).map(toolSchema) : null;
  }

  messages(instance: Instance, mode: Mode, previous: TextAttempt | null, history: readonly TextAttempt[]): Message[] {
    const { task } = instance;
    return toolMessages({
      task,
      conversation: this.#conversation(instance, history),
      format: this.#format,
      functions: this.#inTemplate ? null : this.#described(task),
      revision: mode === 'base' || previous === null ? null : { mode, previous },
    });
  }

  #described(task: ToolTask): string {
    const { documents } = this.#settings;
    if (documents === 'none') return '';
    const functions = functionsOf(this.#documents, task);
    return documents === 'schema' ? schemaLines(functions) : signatureLines(functions);
  }

  ended(instance: Instance, history: readonly TextAttempt[]): boolean {
    const { request, givenUp } = this.#conversation(instance, history);
    return givenUp || request >= instance.requests || history.length >= instance.turns;
  }

  judge(instance: Instance, answer: string, history: readonly TextAttempt[]): TextVerdict {
    const conversation = this.#conversation(instance, [...history, { text: answer }]);
    const { reply, results } = conversation.exchanges.at(-1)!;
    const unfinished = reply.kind === 'none';
    const unread = reply.kind === 'calls' && reply.calls.some((wanted) => 'problem' in wanted);
    return {
      status: unfinished || unread ? 'invalid' : 'valid',
      quality: this.#qualityOf(instance, conversation),
      feedback: results.join('\n'),
      unfinished,
    };
  }

  /** The next call of the ground truth. */
  reference(instance: Instance, history: readonly TextAttempt[]): string {
    const { request, calls } = this.#conversation(instance, history);
    const [next] = callsLeft(instance.task, request, calls[request] ?? [], CLOCK);
    return next === undefined ? FINISHED : this.#format.write([next]);
  }

  /** Of made tasks: an answer within an episode, and what a revision makes of a draft that is right or nearly so. */
  demonstration(random: Random): TextDemonstration<Instance> | null {
    if (this.#tasks !== null) return null;
    const instance = this.task(random.uint32(), 'train');
    const history: TextAttempt[] = [];
    for (let turn = random.below(3); turn > 0; turn--) {
      const next = this.#attempt(instance, this.reference(instance, history), history);
      if (this.ended(instance, [...history, next])) break;
      history.push(next);
    }
    const right = this.reference(instance, history);
    if (random.chance(0.6)) return { instance, mode: 'base', previous: null, history, answer: right };
    const draft = random.chance(0.4) ? right : slipped(right, random);
    const previous = this.#attempt(instance, draft, history);
    return { instance, mode: random.chance(0.2) ? 'diverge' : 'improve', previous, history, answer: right };
  }

  #attempt(instance: Instance, text: string, history: readonly TextAttempt[]): TextAttempt {
    const verdict = this.judge(instance, text, history);
    if (verdict.status === 'infrastructure_error') throw new Error(verdict.reason);
    return { text, feedback: verdict.feedback, quality: verdict.quality };
  }

  #conversation({ task, requests }: Instance, history: readonly Pick<TextAttempt, 'text'>[]): Conversation {
    const answers = history.map(({ text }) => text);
    return converse(task, requests, answers, this.#format, CLOCK);
  }

  #qualityOf({ task, requests }: Instance, { calls }: Conversation): number {
    const { official, finalStateAndCalls, progress } = check(task, calls, { turns: requests, clock: CLOCK });
    if (this.#quality === 'official') return official ? 1 : 0;
    if (finalStateAndCalls) return 1;
    return this.#quality === 'exact' ? 0 : ALMOST * progress;
  }

  #made(number: number, split: Split): ToolTask {
    const { classes, mixed, requests } = this.#settings;
    const how = { classes, mixed, requests };
    const draw = (random: Random): ToolTask => makeTask(random, `made-${split}-${number}`, how, CLOCK);
    return drawInSplit(this.name, number, split, draw, (task) => Array.from(contentOf(task), (c) => c.codePointAt(0)!));
  }
}

/** What makes a made task what it is. */
const contentOf = ({ config, turns }: ToolTask): string => JSON.stringify([turns, plain(config)]);

/** Maps as lists of their entries: JSON leaves maps out. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  return value instanceof Map ? Array.from(value, ([key, member]) => [key, plain(member)]) : value;
}

export const toolUse: EnvironmentType<Settings> & { readonly settings: typeof settings; readonly words: true } = {
  settings,
  words: true,
  create: (given, codec) => {
    const inTemplate = FORMATS[given.format].inTemplate && given.documents === 'schema' && codec.listsTools;
    return new TextEnvironment(new ToolTasks(given, inTemplate), codec) as Environment;
  },
};
