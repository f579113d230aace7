// Programs as plain child processes: for people who trust what they run, and say so. Time, output and the size of collected
// files are bounded; nothing else is.
import { closeSync, constants, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SandboxError } from './error.ts';
import { type Interpreter, PRELUDE } from './interpreters.ts';
import { supervise } from './supervise.ts';
import type { Backend, Job, Language, RunResult } from './types.ts';

export class Unprotected implements Backend {
  readonly name = 'none';
  readonly #interpreters: (language: Language) => readonly Interpreter[];

  constructor(interpreters: (language: Language) => readonly Interpreter[]) {
    this.#interpreters = interpreters;
  }

  async run(job: Job): Promise<RunResult> {
    const interpreter = this.#interpreters(job.language)[0];
    if (interpreter === undefined) throw new SandboxError(`there is no interpreter of ${job.language} on PATH`);
    const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-program-'));
    try {
      writeFileSync(path.join(folder, interpreter.file), job.source);
      if (interpreter.prelude !== '') writeFileSync(path.join(folder, PRELUDE), interpreter.prelude);
      const [command, ...args] = interpreter.command(folder, job.limits);
      const { stopped, code, stdout, stderr, seconds } = await supervise({
        ...{ command: command!, args, folder, user: null, inputs: [], outputs: [] },
        environment: {
          ...{ PATH: process.env['PATH'] ?? '', HOME: folder, TMPDIR: folder },
          ...(job.data === null ? {} : { DATA_DIR: path.resolve(job.data) }),
        },
        limits: job.limits,
        signal: job.signal,
        watch: () => () => {},
        killMore: () => {},
      });
      const outcome = stopped ?? (code === null ? 'signal' : 'exited');
      return { outcome, exitCode: stopped === null ? code : null, stdout, stderr, ...collect(folder, job), seconds };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  close(): void {}
}

function collect(folder: string, { collect, limits }: Job): Pick<RunResult, 'files' | 'refused'> {
  const files = new Map<string, Uint8Array>();
  const refused = new Map<string, string>();
  for (const name of collect) {
    const content = readRegular(path.join(folder, name), limits.collectBytes);
    if (typeof content === 'string') refused.set(name, content);
    else if (content !== null) files.set(name, content);
  }
  return { files, refused };
}

/** The bytes of a regular file, null where there is none, or why it is not taken. A link is never followed, a pipe never waited for. */
function readRegular(file: string, limit: number): Uint8Array | string | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? null : code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code})`;
  }
  try {
    const facts = fstatSync(descriptor);
    if (!facts.isFile()) return 'is not a regular file';
    return facts.size > limit ? `is larger than ${limit} bytes` : readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
