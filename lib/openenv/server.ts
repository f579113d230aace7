// Serves one of our environments in the protocol of OpenEnv, so that other trainers can train on it.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { UserError } from '../errors.ts';
import { Episode } from './episode.ts';
import { ProtocolError } from './protocol.ts';
import { respond, routes } from './routes.ts';
import { serveSession } from './session.ts';
import type { ServedTasks } from './tasks.ts';

export interface ServerOptions {
  /** Default: this machine only. */
  readonly host?: string;
  /** 0, the default: one that is free. */
  readonly port?: number;
  /** Sockets at a time; one more is told CAPACITY_REACHED and closed. Default 64. */
  readonly sessions?: number;
  /** Seconds without a request after which a session ends. Default 900. */
  readonly idleSeconds?: number;
  /** Longest message or body, in bytes. Default 1 MiB. */
  readonly maxBytes?: number;
}

export interface OpenEnvServer {
  /** http://host:port; the WebSocket is at /ws. */
  readonly url: string;
  /** Tells every session that it ends (1001), and frees the port. */
  close(): Promise<void>;
}

/** Starts a server. Throws a `UserError` where it cannot listen. */
export async function serveOpenEnv(tasks: ServedTasks, options: ServerOptions = {}): Promise<OpenEnvServer> {
  const { host = '127.0.0.1', port = 0, sessions = 64, idleSeconds = 900, maxBytes = 2 ** 20 } = options;
  const table = routes(tasks.environment.name, new Episode(tasks));
  const server = createServer((request, response) => {
    if (isForeign(request)) response.writeHead(403).end();
    else void respond(table, request, response, maxBytes);
  });
  const sockets = new WebSocketServer({
    server,
    path: '/ws',
    maxPayload: maxBytes,
    verifyClient: ({ req }: { readonly req: IncomingMessage }) => !isForeign(req),
  });
  let active = 0;
  sockets.on('connection', (socket) => {
    if (active >= sessions) {
      const details = { active_sessions: active, max_sessions: sessions };
      socket.on('error', () => socket.terminate());
      socket.send(JSON.stringify(new ProtocolError('CAPACITY_REACHED', `all ${sessions} sessions are taken`, details)));
      socket.close(1013, 'all sessions are taken');
      return;
    }
    active++;
    socket.on('close', () => active--);
    serveSession(socket, new Episode(tasks), idleSeconds);
  });
  await new Promise<void>((resolve, reject) => {
    sockets.on('error', (error: NodeJS.ErrnoException) => {
      reject(new UserError(`cannot listen on ${host}:${port}: ${error.message}; choose another host or port`));
    });
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () => closed(server, sockets),
  };
}

/** A page of another site in somebody's browser has no business here. */
function isForeign({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

/** Milliseconds that clients have to answer the end of their session. */
const FAREWELL = 1000;

async function closed(server: ReturnType<typeof createServer>, sockets: WebSocketServer): Promise<void> {
  for (const socket of sockets.clients) socket.close(1001, 'the server ends');
  const late = setTimeout(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
  }, FAREWELL);
  sockets.close();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(late);
}
