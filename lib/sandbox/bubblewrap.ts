// Programs in bubblewrap: namespaces of their own, resource limits, a system call filter.
import { SandboxError } from './error.ts';
import type { Interpreter } from './interpreters.ts';
import { handedOver } from './handed-over.ts';
import { DESCRIPTORS, NOBODY, WORK, bubblewrapOptions, insideCommand } from './profile.ts';
import { seccompFilter } from './seccomp.ts';
import { Stage } from './stage.ts';
import { type Ending, supervise } from './supervise.ts';
import type { Backend, Job, Language, Outcome, RunResult } from './types.ts';
import { watchUse } from './watch.ts';

/** Places among `Launch.outputs`. */
const INFO = 0;
const CONTROL = 1;
const FILES = 2;
/** Of what bwrap and the script say. */
const SHORT = 4096;
const XCPU = 128 + 24;
const XFSZ = 128 + 25;
const KILLED = 128 + 9;

/** How an interpreter says that it got no memory. */
const OUT_OF_MEMORY: Readonly<Record<Language, RegExp>> = {
  python: /^(?:MemoryError|\S*_ArrayMemoryError)\b/m,
  javascript: /heap out of memory|Array buffer allocation failed|^RangeError: .*allocation failed/m,
};

export class Bubblewrap implements Backend {
  readonly name = 'bubblewrap';
  readonly #command: string;
  readonly #interpreters: ReadonlyMap<Language, Interpreter>;
  readonly #root = process.getuid?.() === 0;
  readonly #stage = new Stage(this.#root);
  readonly #filter: Buffer;

  /** `command`: the bwrap program. */
  constructor(command: string, interpreters: ReadonlyMap<Language, Interpreter>) {
    this.#command = command;
    this.#interpreters = interpreters;
    const filter = seccompFilter();
    if (filter === null) throw new SandboxError(`bubblewrap: no system call filter for ${process.arch}`);
    this.#filter = filter;
  }

  async run(job: Job): Promise<RunResult> {
    const interpreter = this.#interpreters.get(job.language);
    if (interpreter === undefined) throw new SandboxError(`bubblewrap: no interpreter of ${job.language}`);
    const { limits, collect, signal } = job;
    const data = job.data === null ? null : this.#stage.readable(job.data);
    const options = `${bubblewrapOptions(interpreter, data, limits).join('\0')}\0`;
    const init = (channel: (index: number) => string): number | null => {
      const pid = /"child-pid"\s*:\s*(\d+)/.exec(channel(INFO))?.[1];
      return pid === undefined ? null : Number(pid);
    };
    let over = false;
    const ending = await supervise({
      command: this.#command,
      args: ['--args', String(DESCRIPTORS.options), '--', ...insideCommand(interpreter, limits, collect)],
      environment: {}, // /proc/1/environ inside shows what bwrap was started with
      folder: '/',
      user: this.#root ? NOBODY : null,
      inputs: [options, job.source, interpreter.prelude, this.#filter],
      outputs: [SHORT, SHORT, collect.length * (limits.collectBytes + SHORT)],
      limits,
      signal,
      watch: (stop, channel) => {
        const unwatch = watchUse(() => init(channel), WORK, limits, stop);
        return () => {
          over = true;
          unwatch();
        };
      },
      killMore: (channel) => {
        const pid = over ? null : init(channel);
        if (pid !== null) killProcess(pid);
      },
    });
    return result(job, ending);
  }

  close(): void {
    this.#stage.close();
  }
}

/** The first process of the sandbox; with it all others go, whatever they did to be left behind. */
function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone
  }
}

function result(job: Job, { stopped, stdout, stderr, channels, seconds, code }: Ending): RunResult {
  const control = channels[CONTROL]!.toString();
  if (stopped === null && !control.startsWith('started')) {
    throw new SandboxError(`the sandbox did not start (bwrap ended with ${code}): ${stderr.trim().slice(-500)}`);
  }
  const exit = /^exit (\d+)$/m.exec(control)?.[1];
  const exitCode = stopped !== null || exit === undefined ? null : Number(exit);
  const outcome = stopped ?? classify(job, exitCode, stderr, seconds);
  // Nothing is handed over by a sandbox that was killed.
  const names = stopped === null ? job.collect : [];
  const { files, refused } = handedOver(channels[FILES]!, names, job.limits.collectBytes);
  const bySignal = exitCode !== null && exitCode > 128;
  return { outcome, exitCode: bySignal ? null : exitCode, stdout, stderr, files, refused, seconds };
}

function classify(job: Job, exitCode: number | null, stderr: string, seconds: number): Outcome {
  if (exitCode === XCPU || (exitCode === KILLED && seconds >= job.limits.cpuSeconds)) return 'cpu';
  if (exitCode === XFSZ) return 'files';
  if (exitCode !== 0 && OUT_OF_MEMORY[job.language].test(stderr.slice(-2000))) return 'memory';
  return exitCode === null || exitCode > 128 ? 'signal' : 'exited';
}
