// Sessions with one server, so many at a time; they are kept for the next request.
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, Session } from './client.ts';

export interface PoolOptions {
  /** Sessions at a time, at most; fewer where the server has fewer. */
  readonly sessions: number;
  /** Longest wait for a connection, for a reply, and for the server to have a free session. */
  readonly seconds: number;
}

/** Times that work is begun again where the server cannot be reached or hangs up. */
const TRIES = 3;
const [FIRST_WAIT, LONGEST_WAIT] = [50, 2000]; // milliseconds
/** Milliseconds for which a server that had no session free is asked for no more than it gave. */
const MODEST = 10_000;

export class SessionPool {
  readonly #url: string;
  readonly #options: PoolOptions;
  readonly #idle: Session[] = [];
  readonly #waiting: (() => void)[] = [];
  /** Sessions that are open or opening. */
  #open = 0;
  #limit: number;
  #modestUntil = 0;

  constructor(url: string, options: PoolOptions) {
    this.#url = url;
    this.#options = options;
    this.#limit = options.sessions;
  }

  /**
   * Does work that begins with a reset: where the connection fails it is begun again in another session, and where the server has
   * none free it waits, longer each time. Throws what the work throws, or the `ClientError` that was left in the end.
   */
  async run<T>(work: (session: Session) => Promise<T>): Promise<T> {
    let deadline: number | null = null; // not before the server says that it is full: until then others wait in our own queue
    for (let [wait, tries] = [FIRST_WAIT, 1]; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
      try {
        return await this.#once(work);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        const { kind } = error;
        if (kind === 'capacity') deadline ??= Date.now() + 1000 * this.#options.seconds;
        const again = kind === 'capacity' ? Date.now() < deadline! : isLost(kind) && tries++ < TRIES;
        if (!again) throw error;
      }
      await sleep(wait);
    }
  }

  async #once<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.#take();
    try {
      return await work(session);
    } catch (error) {
      if (error instanceof ClientError && error.kind === 'capacity') this.#content();
      throw error;
    } finally {
      this.#give(session);
    }
  }

  async #take(): Promise<Session> {
    for (;;) {
      const session = this.#idle.pop();
      if (session?.isOpen) {
        session.wake();
        return session;
      }
      if (session !== undefined) this.#open--;
      else if (this.#open < this.#allowed()) return this.#opened();
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #opened(): Promise<Session> {
    this.#open++;
    try {
      return await Session.open(this.#url, this.#options.seconds);
    } catch (error) {
      this.#open--;
      this.#waiting.shift()?.();
      throw error;
    }
  }

  #give(session: Session): void {
    if (session.isOpen) {
      session.rest();
      this.#idle.push(session);
    } else this.#open--;
    this.#waiting.shift()?.();
  }

  #allowed(): number {
    if (Date.now() > this.#modestUntil) this.#limit = this.#options.sessions;
    return this.#limit;
  }

  /** The server has a session less than were asked for. */
  #content(): void {
    this.#limit = Math.max(1, Math.min(this.#limit, this.#open - 1));
    this.#modestUntil = Date.now() + MODEST;
  }
}

const isLost = (kind: ClientError['kind']): boolean => kind === 'unreachable' || kind === 'closed';
