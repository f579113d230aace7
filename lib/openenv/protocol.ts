// The wire format of OpenEnv (github.com/meta-pytorch/OpenEnv, src/openenv/core/env_server/types.py and http_server.py): JSON
// messages over a WebSocket at /ws, one session per socket, one reply per request.
import { z } from 'zod';

/** What an error reply says beside its message. */
export const ERROR_CODES = [
  'INVALID_JSON',
  'UNKNOWN_TYPE',
  'VALIDATION_ERROR',
  'EXECUTION_ERROR',
  'CAPACITY_REACHED',
  'FACTORY_ERROR',
  'SESSION_ERROR',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

const members = z.record(z.string(), z.unknown());

/** Beside them may stand whatever an environment's reset takes. */
export const RESET = z.looseObject({
  seed: z.int().min(0).nullish(),
  episode_id: z.string().max(255).nullish(),
});

/** Requests by type. Other members are refused, as OpenEnv does. */
export const REQUESTS = {
  reset: z.strictObject({ type: z.literal('reset'), data: members.default({}) }),
  step: z.strictObject({ type: z.literal('step'), data: members }),
  state: z.strictObject({ type: z.literal('state') }),
  close: z.strictObject({ type: z.literal('close') }),
} as const;

/** What comes of a reset or a step. */
export const OBSERVATION = z.looseObject({
  observation: members,
  reward: z.union([z.number(), z.boolean()]).nullish(),
  done: z.boolean().default(false),
  metadata: members.nullish(),
});

export type Observed = z.infer<typeof OBSERVATION>;

/** What a server answers. */
export const REPLY = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('observation'), data: OBSERVATION }),
  z.looseObject({ type: z.literal('state'), data: members }),
  z.looseObject({
    type: z.literal('error'),
    data: z.looseObject({ message: z.string().default('no message'), code: z.string().default('UNKNOWN') }),
  }),
]);

export type Reply = z.infer<typeof REPLY>;

/** An error that goes to the client as a reply. */
export class ProtocolError extends Error {
  readonly code: ErrorCode;
  /** Beside message and code. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }

  toJSON(): unknown {
    return { type: 'error', data: { message: this.message, code: this.code, ...this.details } };
  }
}

/** A value of this shape; else a VALIDATION_ERROR that says what is wrong where. */
export function validated<T>(schema: z.ZodType<T>, value: unknown, message = 'Invalid message'): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const errors = error.issues.map(({ path, message: msg, code }) => ({ type: code, loc: path, msg }));
  throw new ProtocolError('VALIDATION_ERROR', message, { errors });
}
