// One socket, one session: requests are answered in order.
import type { RawData, WebSocket } from 'ws';
import type { Episode } from './episode.ts';
import { ProtocolError, REQUESTS, validated } from './protocol.ts';

/** Serves until the socket closes. A session in which nothing is asked for `idleSeconds` is ended. */
export function serveSession(socket: WebSocket, episode: Episode, idleSeconds: number): void {
  let last: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let open = 0; // requests without a reply
  const send = (reply: unknown): void => socket.send(JSON.stringify(reply));
  const expire = (): void => {
    send(new ProtocolError('SESSION_ERROR', `nothing was asked for ${idleSeconds} s: the session is closed`));
    socket.close(1000, 'idle');
  };
  const wait = (): void => {
    clearTimeout(timer);
    if (open === 0 && socket.readyState === socket.OPEN) timer = setTimeout(expire, 1000 * idleSeconds);
  };
  wait();
  socket.on('message', (data, isBinary) => {
    clearTimeout(timer);
    open++;
    last = last.then(async () => {
      const reply = await answered(() => handle(episode, requestIn(data, isBinary)));
      if (reply === null) socket.close(1000);
      else if (socket.readyState === socket.OPEN) send(reply);
      open--;
      wait();
    });
  });
  socket.on('error', () => socket.terminate()); // a message that is too long, or no WebSocket frame
  socket.on('close', () => clearTimeout(timer));
}

/** A reply, or the error as one. */
export async function answered<T>(body: () => Promise<T>): Promise<T | ProtocolError> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    return new ProtocolError('EXECUTION_ERROR', error instanceof Error ? error.message : String(error));
  }
}

function requestIn(data: RawData, isBinary: boolean): Record<string, unknown> {
  if (isBinary) throw new ProtocolError('INVALID_JSON', 'Invalid JSON: a binary message');
  return objectIn(String(data));
}

/** Throws a `ProtocolError` for text that is no JSON object. */
export function objectIn(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ProtocolError('INVALID_JSON', `Invalid JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new ProtocolError('VALIDATION_ERROR', 'a message must be a JSON object');
}

/** The reply; null for a request to close. */
async function handle(episode: Episode, request: Record<string, unknown>): Promise<unknown> {
  switch (request['type']) {
    case 'reset':
      return { type: 'observation', data: await episode.reset(validated(REQUESTS.reset, request).data) };
    case 'step':
      return { type: 'observation', data: await episode.step(validated(REQUESTS.step, request).data) };
    case 'state':
      validated(REQUESTS.state, request);
      return { type: 'state', data: episode.state() };
    case 'close':
      validated(REQUESTS.close, request);
      return null;
    default:
      throw new ProtocolError('UNKNOWN_TYPE', `Unknown message type: ${String(request['type'] ?? '')}`);
  }
}
