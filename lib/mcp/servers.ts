// Connections for answers that are to be judged: a server of its own for each, or one for all.
import { setTimeout as sleep } from 'node:timers/promises';
import { Slots } from '../sandbox/slots.ts';
import { type Place, ToolConnection, ToolServerError } from './connection.ts';

export interface ServerSettings {
  readonly place: Place;
  /** Whether every use begins with a server (over HTTP: a session) that nobody has used. */
  readonly fresh: boolean;
  /** Uses at a time. */
  readonly concurrency: number;
  /** Longest wait for a reply. */
  readonly seconds: number;
}

/** Milliseconds that a shared server is kept without being used: its process would keep ours alive. */
const IDLE = 3000;

export class ToolServers {
  readonly #settings: ServerSettings;
  readonly #slots: Slots;
  #shared: Promise<ToolConnection> | null = null;
  #users = 0;
  #uses = 0;

  constructor(settings: ServerSettings) {
    this.#settings = settings;
    this.#slots = new Slots(settings.concurrency);
  }

  use<T>(work: (connection: ToolConnection) => Promise<T>): Promise<T> {
    return this.#slots.run(() => (this.#settings.fresh ? this.#alone(work) : this.#together(work)));
  }

  async #alone<T>(work: (connection: ToolConnection) => Promise<T>): Promise<T> {
    const connection = await this.#open();
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }

  /** A server that failed is left, and the next use starts another one. */
  async #together<T>(work: (connection: ToolConnection) => Promise<T>): Promise<T> {
    this.#shared ??= this.#open();
    const shared = this.#shared;
    this.#users++;
    try {
      return await work(await shared);
    } catch (error) {
      if (error instanceof ToolServerError && this.#shared === shared) this.#leave();
      throw error;
    } finally {
      this.#users--;
      if (this.#users === 0) void this.#closeLater(++this.#uses);
    }
  }

  async #closeLater(use: number): Promise<void> {
    await sleep(IDLE, undefined, { ref: false });
    if (this.#users === 0 && this.#uses === use) this.#leave();
  }

  #leave(): void {
    const shared = this.#shared;
    this.#shared = null;
    shared?.then((connection) => connection.close()).catch(() => {});
  }

  #open(): Promise<ToolConnection> {
    return ToolConnection.open(this.#settings.place, this.#settings.seconds);
  }
}
