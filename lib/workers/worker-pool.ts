// Small jobs in worker threads, so that one that hangs can be killed and none delays the loop.
import { Tinypool } from 'tinypool';
import type { JobResult } from './each-job.ts';

export interface WorkerPoolSettings {
  /** Threads, at most; they start when they are needed. */
  readonly threads: number;
  /** Wall time after which the thread of a job is killed. */
  readonly seconds: number;
  /** Jobs that travel together: a message costs more than a small job. */
  readonly batch: number;
}

/** A job that has no result: it took too long, its thread died, or it threw. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
}

interface Waiting<Job, Result> {
  readonly job: Job;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
  /** Whether it must travel alone: it was in a batch that took too long. */
  readonly alone: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs jobs through the default export of a module, made with `eachJob`. Jobs wait until a thread is free, in order; when a batch
 * takes too long its jobs run again one by one, so that only the guilty one fails. Idle threads do not keep the process alive.
 */
export class WorkerPool<Job, Result> {
  readonly #pool: Tinypool;
  readonly #settings: WorkerPoolSettings;
  readonly #waiting: Waiting<Job, Result>[] = [];
  #running = 0;
  #scheduled = false;

  constructor(module: URL, settings: WorkerPoolSettings) {
    this.#settings = settings;
    this.#pool = new Tinypool({
      filename: module.href,
      minThreads: 0,
      maxThreads: settings.threads,
      idleTimeout: 60_000,
      execArgv: [], // those of the process may be for its main script only
    });
    // A thread that dies fails its jobs by itself.
    this.#pool.on('error', () => {});
  }

  /** Jobs that no thread has taken yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Rejects with a `WorkerError`, or with the signal's reason when that fires first. */
  run(job: Job, signal?: AbortSignal): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      this.#waiting.push({ job, resolve, reject, alone: false, signal });
      // Jobs that are given in the same tick go together.
      if (this.#scheduled) return;
      this.#scheduled = true;
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#start();
      });
    });
  }

  async close(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(new WorkerError('the pool was closed'));
    await this.#pool.destroy();
  }

  #start(): void {
    const { threads, batch } = this.#settings;
    while (this.#running < threads && this.#waiting.length > 0) {
      // Shared between the threads that are free.
      const share = Math.ceil(this.#waiting.length / (threads - this.#running));
      const taken = this.#waiting[0]!.alone ? this.#waiting.splice(0, 1) : this.#take(Math.min(batch, share));
      const wanted = taken.filter(({ signal, reject }) => {
        if (signal?.aborted) reject(signal.reason as Error);
        return !signal?.aborted;
      });
      if (wanted.length > 0) void this.#runBatch(wanted);
    }
  }

  #take(most: number): Waiting<Job, Result>[] {
    const alone = this.#waiting.findIndex((one) => one.alone);
    return this.#waiting.splice(0, alone < 0 ? most : Math.min(most, alone));
  }

  async #runBatch(batch: readonly Waiting<Job, Result>[]): Promise<void> {
    this.#running++;
    const { seconds } = this.#settings;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), 1000 * seconds);
    try {
      const jobs = batch.map(({ job }) => job);
      const results = (await this.#pool.run(jobs, { signal: late.signal })) as JobResult<Result>[];
      for (const [i, { resolve, reject }] of batch.entries()) {
        const result = results[i]!;
        if ('value' in result) resolve(result.value);
        else reject(new WorkerError(result.error));
      }
    } catch (error) {
      if (batch.length === 1) {
        const reason = late.signal.aborted ? `not done after ${seconds} s` : (error as Error).message;
        batch[0]!.reject(new WorkerError(reason));
      } else this.#waiting.unshift(...batch.map((one) => ({ ...one, alone: true })));
    } finally {
      clearTimeout(timer);
      this.#running--;
      this.#start();
    }
  }
}
