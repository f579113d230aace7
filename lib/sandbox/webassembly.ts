// JavaScript programs in an interpreter (QuickJS) that is compiled to WebAssembly: works wherever Node does. Its memory is
// one WebAssembly.Memory with a maximum; time is bounded by ending the worker thread it runs in.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { SandboxError } from './error.ts';
import type { Backend, Job, Outcome, RunResult } from './types.ts';

/** What the worker gets. */
export interface WorkerJob extends Pick<Job, 'source' | 'data' | 'collect' | 'limits'> {
  /** The compiled interpreter, a WebAssembly.Module. */
  readonly module: object;
}

/** What it answers. */
export interface WorkerResult {
  /** How the program ended, or that the interpreter could not be set up. */
  readonly outcome: Outcome | 'broken';
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly refused: ReadonlyMap<string, string>;
}

/** What was printed before the thread was ended. */
interface Print {
  readonly print: string;
}

/** The interpreter ends a program itself at the deadline; this is for when it does not get to it. */
const GRACE_MS = 250;

export class WebAssemblyBackend implements Backend {
  readonly name = 'webassembly';
  #module: WebAssembly.Module | null = null;

  async run(job: Job): Promise<RunResult> {
    const { language, signal } = job;
    if (language !== 'javascript') throw new SandboxError(`the WebAssembly sandbox runs JavaScript, not ${language}`);
    if (signal?.aborted) throw signal.reason;
    const began = performance.now();
    const answer = await this.#inThread(job);
    if (answer.outcome === 'broken') throw new SandboxError(`the WebAssembly sandbox did not start: ${answer.stderr}`);
    return { ...answer, outcome: answer.outcome, seconds: (performance.now() - began) / 1000 };
  }

  close(): void {
    this.#module = null;
  }

  #inThread(job: Job): Promise<WorkerResult> {
    const { source, data, collect, limits, signal } = job;
    const workerData: WorkerJob = { source, data, collect, limits, module: this.#compiled() };
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./webassembly-worker.js', import.meta.url), {
        workerData,
        env: {},
        argv: [],
        execArgv: [],
        // Its strings pass through this heap; what the program holds lies in WebAssembly memory.
        resourceLimits: { maxOldGenerationSizeMb: 64 + Math.ceil(limits.memoryBytes / 2 ** 20) },
      });
      let printed = '';
      let settled = false;
      const settle = (end: () => void): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        void worker.terminate().then(end, reject);
      };
      const killed = (outcome: Outcome): WorkerResult => ({
        ...{ outcome, exitCode: null, stdout: printed, stderr: '', files: new Map(), refused: new Map() },
      });
      const abort = (): void => settle(() => reject(signal?.reason));
      const timer = setTimeout(() => settle(() => resolve(killed('timeout'))), 1000 * limits.seconds + GRACE_MS);
      signal?.addEventListener('abort', abort, { once: true });
      worker.on('message', (message: WorkerResult | Print) => {
        if ('print' in message) printed += message.print;
        else settle(() => resolve(message));
      });
      worker.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') settle(() => resolve(killed('memory')));
        else
          settle(() => reject(new SandboxError(`the WebAssembly sandbox failed: ${error.message}`, { cause: error })));
      });
      worker.on('exit', () =>
        settle(() => reject(new SandboxError('the WebAssembly sandbox ended without an answer'))),
      );
    });
  }

  /** Compiled once, used by every thread. */
  #compiled(): WebAssembly.Module {
    if (this.#module !== null) return this.#module;
    try {
      const file = createRequire(import.meta.url).resolve('@jitl/quickjs-wasmfile-release-sync/wasm');
      this.#module = new WebAssembly.Module(readFileSync(file));
      return this.#module;
    } catch (error) {
      throw new SandboxError(`the WebAssembly sandbox cannot be loaded: ${(error as Error).message}`, { cause: error });
    }
  }
}
