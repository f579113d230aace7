// Runs a child process to its end within bounds of time and output. Every way out ends with the process gone.
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SandboxError } from './error.ts';
import type { Limits, Outcome } from './types.ts';

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
  /** User and group to become; null: stay. */
  readonly user: number | null;
  /** Written to file descriptors 3, 4, ... which are then closed. */
  readonly inputs: readonly (string | Uint8Array)[];
  /** The file descriptors behind them are read, each up to this many bytes. */
  readonly outputs: readonly number[];
  readonly limits: Pick<Limits, 'seconds' | 'outputBytes'>;
  readonly signal: AbortSignal | null;
  /** Begins to look after more than time and output. `stop` kills; what is returned is called at the end. */
  readonly watch: (stop: (why: Outcome) => void, channel: (index: number) => string) => () => void;
  /** Kills what the process group does not hold. */
  readonly killMore: (channel: (index: number) => string) => void;
}

export interface Ending {
  /** The limit that ended it, or null. */
  readonly stopped: Outcome | null;
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly channels: readonly Buffer[];
  readonly seconds: number;
}

/** After this, pipes that an escaped process might hold open are given up. */
const PIPES_CLOSE_MS = 2000;

/** Starts the process and waits until it is gone. Rejects with the signal's reason, or a `SandboxError`. */
export function supervise(launch: Launch): Promise<Ending> {
  const { limits, signal, inputs, outputs } = launch;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = start(launch);
    if (child.pid === undefined) {
      child.once('error', (error) => {
        reject(new SandboxError(`cannot start ${launch.command}: ${error.message}`, { cause: error }));
      });
      return;
    }
    let stopped: Outcome | null = null;
    let room = limits.outputBytes;
    const channels = outputs.map((limit, i) => capture(child.stdio[3 + inputs.length + i] as Readable, limit));
    const text = (index: number): string => Buffer.concat(channels[index]!).toString();
    const kill = (): void => {
      launch.killMore(text);
      killGroup(child);
    };
    const stop = (why: Outcome): void => {
      stopped ??= why;
      kill();
    };
    const printed = [child.stdout!, child.stderr!].map((stream) => {
      const chunks: Buffer[] = [];
      stream.on('error', () => {});
      stream.on('data', (chunk: Buffer) => {
        if (room > 0) chunks.push(chunk.subarray(0, room));
        room -= chunk.length;
        if (room < 0) stop('output');
      });
      return chunks;
    });
    const timer = setTimeout(stop, 1000 * limits.seconds, 'timeout');
    const unwatch = launch.watch(stop, text);
    signal?.addEventListener('abort', kill, { once: true });
    const finish = (end: () => void): void => {
      clearTimeout(timer);
      unwatch();
      signal?.removeEventListener('abort', kill);
      end();
    };
    child.on('error', () => {}); // a signal that found nobody
    child.on('exit', () => {
      setTimeout(() => child.stdio.forEach((stream) => void stream?.destroy()), PIPES_CLOSE_MS).unref();
    });
    child.on('close', (code) => {
      const seconds = (performance.now() - began) / 1000;
      const [stdout, stderr] = printed.map((chunks) => Buffer.concat(chunks).toString()) as [string, string];
      finish(() => {
        if (signal?.aborted) reject(signal.reason);
        else resolve({ stopped, code, stdout, stderr, channels: channels.map((c) => Buffer.concat(c)), seconds });
      });
    });
    inputs.forEach((content, i) => {
      const pipe = child.stdio[3 + i] as Writable | null;
      pipe?.on('error', () => {}); // it may die before it has read everything
      pipe?.end(content);
    });
  });
}

function start({ command, args, environment, folder, user, inputs, outputs }: Launch): ChildProcess {
  const pipes = [...inputs, ...outputs].map(() => 'pipe' as const);
  return spawn(command, args, {
    env: environment as NodeJS.ProcessEnv,
    cwd: folder,
    detached: true, // a process group of its own
    stdio: ['ignore', 'pipe', 'pipe', ...pipes],
    ...(user === null ? {} : { uid: user, gid: user }),
  });
}

/** Keeps the first `limit` bytes and one more, which tells that there were more. */
function capture(stream: Readable, limit: number): Buffer[] {
  const chunks: Buffer[] = [];
  let room = limit + 1;
  stream?.on('error', () => {});
  stream?.on('data', (chunk: Buffer) => {
    if (room > 0) chunks.push(chunk.subarray(0, room));
    room -= chunk.length;
    if (room < 0) stream.destroy();
  });
  return chunks;
}

function killGroup(child: ChildProcess): void {
  if (child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    child.kill('SIGKILL'); // not a group yet
  }
}
