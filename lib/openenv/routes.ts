// What the server of OpenEnv answers over HTTP.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { packageVersion } from '../config/root.ts';
import { ACTION, type Episode, SHOWN } from './episode.ts';
import { OBSERVATION, ProtocolError, validated } from './protocol.ts';
import { answered, objectIn } from './session.ts';

const STEP = z.looseObject({ action: z.record(z.string(), z.unknown()) });
const STATE = z.looseObject({ episode_id: z.string().nullable(), step_count: z.int().min(0) });

const shape = (schema: z.ZodType): unknown => z.toJSONSchema(schema, { io: 'input' });

/** Status by error code; others 500. */
const STATUS: Readonly<Record<string, number>> = { INVALID_JSON: 422, VALIDATION_ERROR: 422, UNKNOWN_TYPE: 404 };

type Route = (body: () => Promise<Record<string, unknown>>) => Promise<unknown>;

/** Routes by method and path. Those that talk HTTP share one episode; sockets have their own. */
export function routes(name: string, episode: Episode): ReadonlyMap<string, Route> {
  return new Map<string, Route>([
    ['POST /reset', async (body) => episode.reset(await body())],
    ['POST /step', async (body) => episode.step(validated(STEP, await body()).action)],
    ['GET /state', async () => episode.state()],
    ['GET /health', async () => ({ status: 'healthy' })],
    ['GET /schema', async () => ({ action: shape(ACTION), observation: observationShape(), state: shape(STATE) })],
    [
      'GET /metadata',
      async () => ({ name, description: `The environment ${name} of exit-rl`, version: packageVersion() }),
    ],
  ]);
}

const observationShape = (): unknown => {
  const { reward, done, metadata } = OBSERVATION.shape;
  return shape(SHOWN.extend({ reward, done, metadata }));
};

/** Answers one request; the promise never fails. */
export async function respond(
  table: ReadonlyMap<string, Route>,
  request: IncomingMessage,
  response: ServerResponse,
  maxBytes: number,
): Promise<void> {
  const path = new URL(request.url ?? '/', 'http://host').pathname;
  const route = table.get(`${request.method} ${path}`);
  const result = await answered(async () => {
    if (route === undefined) throw new ProtocolError('UNKNOWN_TYPE', `no ${request.method} ${path} here`);
    return route(async () => objectIn((await text(request, maxBytes)) || '{}'));
  });
  const failed = result instanceof ProtocolError;
  const status = failed ? (STATUS[result.code] ?? 500) : 200;
  const body = failed ? { detail: result.details['errors'] ?? result.message, code: result.code } : result;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

async function text(request: IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maxBytes) throw new ProtocolError('VALIDATION_ERROR', `a body may have ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
