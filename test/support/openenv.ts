// Servers and sockets of the protocol of OpenEnv.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { createEnvironment, isInWords } from '../../lib/environments/create.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { parseConfig } from '../../lib/config/load.ts';
import { type OpenEnvServer, serveOpenEnv, type ServerOptions } from '../../lib/openenv/server.ts';
import { servedTasks } from '../../lib/openenv/tasks.ts';
import { byteChat, chatCodec } from '../../lib/text/codec.ts';

export interface Reply {
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever a server says
  readonly data: any;
}

/** A server of an environment by name, which is gone after the callback. */
export async function withServer(
  environment: string,
  body: (server: OpenEnvServer) => Promise<void>,
  options: ServerOptions & { readonly change?: (environment: Environment) => Environment } = {},
): Promise<void> {
  const text = `environment: ${environment}\nmodel: { decoder: {} }`;
  const { environment: settings } = parseConfig({ name: 'test', text });
  const codec = isInWords(settings) ? chatCodec(byteChat()) : null;
  const { change = (same) => same, ...how } = options;
  const server = await serveOpenEnv(servedTasks(change(createEnvironment(settings, codec)), codec), how);
  try {
    await body(server);
  } finally {
    await server.close();
  }
}

/** Asks over a socket and waits for the reply. */
export class Talk {
  readonly socket: WebSocket;
  readonly #replies: Reply[] = [];
  readonly closed: Promise<number>;

  constructor(url: string) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/ws`);
    this.socket.on('message', (data) => this.#replies.push(JSON.parse(String(data)) as Reply));
    this.closed = once(this.socket, 'close').then(([code]) => code as number);
    this.closed.catch(() => {});
  }

  static async open(url: string): Promise<Talk> {
    const talk = new Talk(url);
    await once(talk.socket, 'open');
    return talk;
  }

  async ask(message: unknown): Promise<Reply> {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return this.hear();
  }

  /** The next reply. */
  async hear(): Promise<Reply> {
    while (this.#replies.length === 0) await once(this.socket, 'message');
    return this.#replies.shift()!;
  }

  reset(data: Record<string, unknown> = {}): Promise<Reply> {
    return this.ask({ type: 'reset', data });
  }

  step(text: string): Promise<Reply> {
    return this.ask({ type: 'step', data: { text } });
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}

/** A server that does as it likes with every message; `behave` gets how many came on the socket before. */
export async function withStranger(
  behave: (socket: WebSocket, message: { type: string; data?: Record<string, unknown> }, count: number) => void,
  body: (url: string, connections: () => number) => Promise<void>,
): Promise<void> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, path: '/ws' });
  await once(server, 'listening');
  let connections = 0;
  server.on('connection', (socket) => {
    connections++;
    let count = 0;
    socket.on('error', () => {});
    socket.on('message', (data) => behave(socket, JSON.parse(String(data)), count++));
  });
  try {
    await body(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => connections);
  } finally {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}
