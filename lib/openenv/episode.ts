// An episode of one of our environments as a session of OpenEnv: reset, then one step per turn.
import { randomInt, randomUUID } from 'node:crypto';
import { z } from 'zod';
import { episodeQuality, isOver } from '../environments/episode.ts';
import { judge } from '../rollout/judge.ts';
import type { Message } from '../text/messages.ts';
import type { Attempt } from '../types.ts';
import { type Observed, ProtocolError, RESET, validated } from './protocol.ts';
import type { ServedTasks } from './tasks.ts';

/** What a step takes. */
export const ACTION = z.strictObject({
  text: z.string().describe('The answer; symbols are separated by spaces'),
  metadata: z.record(z.string(), z.unknown()).optional(),
});

/** What reset and step give, beside reward and done. */
export const SHOWN = z.strictObject({
  text: z.string().describe('What is said next: the feedback on the last answer, then the next request'),
  messages: z.array(z.looseObject({ role: z.string() })).describe('The conversation that asks for the next answer'),
  feedback: z.string().describe('On the last answer; empty where there is none'),
});

const RESET_HERE = RESET.extend({ split: z.enum(['train', 'held_out']).default('train') });

interface Running {
  readonly id: string;
  readonly seed: number;
  readonly instance: unknown;
  readonly history: Attempt[];
}

/**
 * The reward of a step is its quality. Where only the last answer of an episode counts (`Environment.episodeQuality`), earlier
 * steps have reward 0. `metadata.quality` always has the quality.
 */
export class Episode {
  readonly #tasks: ServedTasks;
  #running: Running | null = null;

  constructor(tasks: ServedTasks) {
    this.#tasks = tasks;
  }

  /** The same seed (and split) is the same task. Without a seed one is drawn; `metadata.seed` has it. */
  async reset(data: unknown): Promise<Observed> {
    const { seed, episode_id: id, split } = validated(RESET_HERE, data);
    const { environment } = this.#tasks;
    const number = seed ?? randomInt(2 ** 31);
    const instance = environment.task(number, split);
    await environment.prepare?.([instance]);
    this.#running = { id: id ?? randomUUID(), seed: number, instance, history: [] };
    return this.#observed(this.#running, null);
  }

  async step(action: unknown): Promise<Observed> {
    const { text } = validated(ACTION, action);
    const running = this.#running;
    if (running === null) throw new ProtocolError('EXECUTION_ERROR', 'no episode has begun: reset first');
    const { environment } = this.#tasks;
    const { instance, history } = running;
    if (isOver(environment, instance, history)) {
      throw new ProtocolError('EXECUTION_ERROR', 'the episode is over: reset first');
    }
    const { attempt, status, reason } = await judge(environment, instance, this.#tasks.read(text), history);
    if (attempt === null) throw new ProtocolError('EXECUTION_ERROR', `the answer could not be judged: ${reason}`);
    history.push(attempt);
    return this.#observed(running, { attempt, valid: status === 'valid' });
  }

  state(): Readonly<Record<string, unknown>> {
    const { name } = this.#tasks.environment;
    if (this.#running === null) return { episode_id: null, step_count: 0, environment: name };
    const { id, seed, history } = this.#running;
    return { episode_id: id, step_count: history.length, environment: name, seed };
  }

  #observed(
    { seed, instance, history }: Running,
    answered: { readonly attempt: Attempt; readonly valid: boolean } | null,
  ): Observed {
    const { environment } = this.#tasks;
    const over = isOver(environment, instance, history);
    const messages = over ? [] : this.#tasks.messages(instance, history);
    const feedback = answered === null ? '' : environment.show(answered.attempt.feedback);
    const request = textOf(messages.findLast(({ role }) => role === 'user'));
    const text = [feedback, request].filter((part) => part !== '').join('\n\n');
    const observation = { text, messages, feedback };
    const turn = { turn: history.length, turns: environment.turns, seed };
    if (answered === null) return { observation, reward: null, done: over, metadata: turn };
    const { quality } = answered.attempt;
    const rule = environment.episodeQuality;
    return {
      observation,
      reward: rule === 'last' && !over ? 0 : quality,
      done: over,
      metadata: {
        ...turn,
        quality,
        valid: answered.valid,
        truncated: over && environment.ended !== undefined && !environment.ended(instance, history),
        ...(over && { episode_quality: episodeQuality(history, rule) }),
      },
    };
  }
}

const textOf = (message: Message | undefined): string => {
  const content = message?.content ?? '';
  return typeof content === 'string' ? content : JSON.stringify(content);
};
