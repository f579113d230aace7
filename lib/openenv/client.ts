// A session with somebody's server: requests out, replies in, one at a time.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { type Observed, REPLY, type Reply } from './protocol.ts';

/**
 * unreachable: no connection; capacity: all sessions are taken; closed: the server hung up; timeout: no reply in time; garbage: a
 * reply that is none; refused: an error reply, after which the session goes on.
 */
export type ClientErrorKind = 'unreachable' | 'capacity' | 'closed' | 'timeout' | 'garbage' | 'refused';

/** Why a request has no result. */
export class ClientError extends Error {
  readonly kind: ClientErrorKind;
  /** Of an error reply. */
  readonly code: string | null;

  constructor(kind: ClientErrorKind, message: string, code: string | null = null) {
    super(message);
    this.kind = kind;
    this.code = code;
  }
}

/** Longest reply, in bytes: observations may hold pictures. */
const MAX_BYTES = 100 * 2 ** 20;
/** Of a reply that cannot be read, in characters. */
const QUOTED = 200;

interface Pending {
  resolve(reply: Exclude<Reply, { type: 'error' }>): void;
  reject(error: ClientError): void;
}

export class Session {
  readonly #socket: WebSocket;
  readonly #seconds: number;
  #connection: Socket | null = null;
  #pending: Pending | null = null;
  /** Why nothing can be asked any more. */
  #failure: ClientError | null = null;

  private constructor(socket: WebSocket, seconds: number) {
    this.#socket = socket;
    this.#seconds = seconds;
    socket.on('upgrade', (response) => {
      this.#connection = response.socket;
    });
    socket.on('message', (data) => this.#hear(String(data)));
    socket.on('error', (error) => this.#fail(new ClientError('closed', error.message)));
    socket.on('close', (code) => this.#fail(new ClientError('closed', `the server closed the connection (${code})`)));
  }

  /** `url`: of the server, http or ws. `seconds`: longest wait for the connection and for a reply. Throws a `ClientError`. */
  static async open(url: string, seconds: number): Promise<Session> {
    const socket = new WebSocket(socketUrl(url), { maxPayload: MAX_BYTES, handshakeTimeout: 1000 * seconds });
    const session = new Session(socket, seconds);
    try {
      await once(socket, 'open');
    } catch (error) {
      throw new ClientError('unreachable', `no connection: ${messageOf(error)}`);
    }
    return session;
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  /** An unused session does not keep the process alive. */
  rest(): void {
    this.#connection?.unref();
  }

  wake(): void {
    this.#connection?.ref();
  }

  async reset(data: Readonly<Record<string, unknown>>): Promise<Observed> {
    return this.#observed({ type: 'reset', data });
  }

  async step(action: Readonly<Record<string, unknown>>): Promise<Observed> {
    return this.#observed({ type: 'step', data: action });
  }

  close(): void {
    this.#socket.close();
  }

  async #observed(request: { readonly type: string; readonly data: unknown }): Promise<Observed> {
    const reply = await this.#ask(request);
    if (reply.type === 'observation') return reply.data;
    throw this.#broken(`a reply of type ${reply.type} to ${request.type}`);
  }

  async #ask(request: { readonly type: string }): Promise<Exclude<Reply, { type: 'error' }>> {
    if (this.#failure !== null) throw this.#failure;
    const late = setTimeout(() => {
      this.#fail(new ClientError('timeout', `no reply to ${request.type} within ${this.#seconds} s`));
      this.#socket.terminate();
    }, 1000 * this.#seconds);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending = { resolve, reject };
        this.#socket.send(JSON.stringify(request));
      });
    } finally {
      clearTimeout(late);
      this.#pending = null;
    }
  }

  #hear(text: string): void {
    const reply = readReply(text);
    if (reply === null) {
      this.#broken(`a reply that is none of OpenEnv: ${text.slice(0, QUOTED)}`);
      return;
    }
    if (reply.type !== 'error') {
      this.#pending?.resolve(reply);
      return;
    }
    const { message, code } = reply.data;
    if (code === 'CAPACITY_REACHED') this.#fail(new ClientError('capacity', message, code));
    // One that nothing was asked for tells why the session ends.
    else if (this.#pending === null) this.#fail(new ClientError('closed', `${code}: ${message}`, code));
    else
      this.#pending.reject(new ClientError('refused', `${code}: ${message}${detailsOf(reply.data['errors'])}`, code));
  }

  #broken(what: string): ClientError {
    const error = new ClientError('garbage', what);
    this.#fail(error);
    this.#socket.terminate();
    return error;
  }

  /** The first reason counts: a closed connection follows most others. */
  #fail(error: ClientError): void {
    this.#failure ??= error;
    this.#pending?.reject(this.#failure);
  }
}

/** What is wrong with which member, of a VALIDATION_ERROR. */
function detailsOf(errors: unknown): string {
  if (!Array.isArray(errors)) return '';
  const known = errors.filter((error): error is { loc: unknown[]; msg: unknown } => Array.isArray(error?.loc));
  return known.map(({ loc, msg }) => `; ${loc.join('.')}: ${String(msg)}`).join('');
}

function readReply(text: string): Reply | null {
  try {
    return REPLY.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** ws://host/ws of http://host, with or without /ws. */
const socketUrl = (url: string): string => `${url.replace(/^http/i, 'ws').replace(/\/+$/, '').replace(/\/ws$/, '')}/ws`;

/** Node tries several addresses and puts what went wrong with each into an error without a message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
