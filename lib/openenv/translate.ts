// Between the words of a model and the JSON of a server: answers become actions, observations become text.
import { UsageError } from '../errors.ts';
import { leadingObjects } from '../tools/formats/json-call.ts';
import type { Observed } from './protocol.ts';

export interface Translation {
  /** Member of an action that is the answer; null: the answer holds the action as a JSON object. */
  readonly actionField: string | null;
  /** The other members of every action. */
  readonly actionWith: Readonly<Record<string, unknown>>;
  /** Member of an observation that is shown, a.b for one within another; null: all of it as JSON. */
  readonly observationField: string | null;
  /** Rewards that are quality 0 and 1. */
  readonly rewards: { readonly low: number; readonly high: number };
}

/** An action; or what is wrong with the answer, in words for the model. */
export type Action = { readonly action: Readonly<Record<string, unknown>> } | { readonly problem: string };

export function actionOf(answer: string, { actionField, actionWith }: Translation): Action {
  if (actionField !== null) return { action: { ...actionWith, [actionField]: answer } };
  const start = answer.indexOf('{');
  const [text] = start < 0 ? [] : leadingObjects(answer.slice(start)).objects;
  if (text === undefined) return { problem: 'Error: the answer must hold a JSON object' };
  try {
    return { action: { ...(JSON.parse(text) as Record<string, unknown>), ...actionWith } };
  } catch (error) {
    return { problem: `Error: the JSON object of the answer cannot be read: ${(error as Error).message}` };
  }
}

/** What of an observation is shown. Throws a `UsageError` where it has no such member. */
export function textOf({ observation }: Observed, { observationField: field }: Translation): string {
  if (field === null) return JSON.stringify(observation);
  let value: unknown = observation;
  for (const name of field.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) {
      throw new UsageError(
        `environment.observationField ${field}: observations of the server have no such member; they have ${membersOf(observation)}`,
      );
    }
    value = (value as Record<string, unknown>)[name];
  }
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Rounding may take a reward so far beyond its range. */
const ROUNDING = 1e-6;

/** A reward as a quality in [0, 1]; 0 where there is none. Throws a `UsageError` for one out of range. */
export function qualityOf({ reward }: Observed, { rewards: { low, high } }: Translation): number {
  if (reward === null || reward === undefined) return 0;
  const quality = (Number(reward) - low) / (high - low);
  if (!(quality >= -ROUNDING && quality <= 1 + ROUNDING)) {
    throw new UsageError(
      `environment.rewards: the server gave the reward ${Number(reward)}, outside [${low}, ${high}]; set low and high to the ` +
        'rewards that are quality 0 and 1',
    );
  }
  return Math.min(1, Math.max(0, quality));
}

const membersOf = (value: object): string => Object.keys(value).join(', ') || 'none';
