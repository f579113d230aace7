// What goes into a sandbox and what comes out of it.

export type Language = 'python' | 'javascript';

/** Bounds of one program. Sizes are bytes. */
export interface Limits {
  /** Wall time; the whole process tree is killed then. */
  readonly seconds: number;
  /** CPU time of each process. */
  readonly cpuSeconds: number;
  /** Of all processes together where the backend can see them, and of each. */
  readonly memoryBytes: number;
  /** Processes and threads. */
  readonly processes: number;
  /** Standard output and standard error together. */
  readonly outputBytes: number;
  /** The writable folder. */
  readonly diskBytes: number;
  /** One file. */
  readonly fileBytes: number;
  /** Files in the writable folder. */
  readonly files: number;
  readonly openFiles: number;
  /** A collected file; larger ones are refused. */
  readonly collectBytes: number;
}

const MB = 1024 * 1024;

export const DEFAULT_LIMITS: Limits = {
  seconds: 300,
  cpuSeconds: 300,
  memoryBytes: 1024 * MB,
  processes: 64,
  outputBytes: MB / 4,
  diskBytes: 64 * MB,
  fileBytes: 32 * MB,
  files: 1000,
  openFiles: 256,
  collectBytes: 8 * MB,
};

export interface Program {
  readonly language: Language;
  readonly source: string;
  /** A folder of the host that the program can read: as DATA_DIR in the environment, or through the functions of `api.ts`. */
  readonly data?: string;
  /** Names of files in the writable folder to bring back. */
  readonly collect?: readonly string[];
  readonly limits?: Partial<Limits>;
  /** Stops the program; `run` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * How a program ended. `exited`: by itself; the others are the limit it ran into, except `signal`: it was killed by one,
 * as by a crash of the interpreter.
 */
export type Outcome = 'exited' | 'timeout' | 'cpu' | 'memory' | 'output' | 'files' | 'signal';

export interface RunResult {
  readonly outcome: Outcome;
  /** Null where it did not exit by itself. */
  readonly exitCode: number | null;
  /** UTF-8; bytes that are none come as U+FFFD. */
  readonly stdout: string;
  readonly stderr: string;
  /** The collected files that exist. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Why others were not taken: 'is a symbolic link', for example. */
  readonly refused: ReadonlyMap<string, string>;
  /** Wall time, waiting for a free place not counted. */
  readonly seconds: number;
}

export type BackendName = 'bubblewrap' | 'webassembly' | 'none';

export interface Job extends Required<Omit<Program, 'limits' | 'data' | 'signal'>> {
  readonly limits: Limits;
  readonly data: string | null;
  readonly signal: AbortSignal | null;
}

/** A way to run programs. `run` throws a `SandboxError` when the sandbox, not the program, failed. */
export interface Backend {
  readonly name: BackendName;
  run(job: Job): Promise<RunResult>;
  /** Gives back what it keeps. */
  close(): void;
}
