// Runs programs nobody has read: chooses a backend that works here, keeps the number of running programs down.
import { availableParallelism } from 'node:os';
import { bubblewrapHere } from './available.ts';
import { SandboxError } from './error.ts';
import { interpreters } from './interpreters.ts';
import { Slots } from './slots.ts';
import {
  type Backend,
  type BackendName,
  DEFAULT_LIMITS,
  type Job,
  type Language,
  type Limits,
  type Program,
  type RunResult,
} from './types.ts';
import { Unprotected } from './unprotected.ts';
import { WebAssemblyBackend } from './webassembly.ts';

export interface SandboxOptions {
  /** Programs at the same time; more wait. Default: one per core, at least two. */
  readonly concurrency?: number;
  /** Of programs that say nothing else. */
  readonly limits?: Partial<Limits>;
  /** Only this one. `none` runs programs without protection, with all rights of this process. Default: the best that works. */
  readonly backend?: BackendName;
}

const COLLECTED = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,100}$/;
const MAX_COLLECTED = 16;

/**
 * @example
 * const sandbox = new Sandbox();
 * const { outcome, stdout, files } = await sandbox.run({ language: 'python', source, data: folder, collect: ['submission.csv'] });
 */
export class Sandbox {
  /** Of programs that say nothing else. */
  readonly limits: Limits;
  readonly #options: SandboxOptions;
  readonly #slots: Slots;
  readonly #backends = new Map<Language, Promise<Backend>>();
  readonly #open = new Set<Backend>();

  constructor(options: SandboxOptions = {}) {
    this.#options = options;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#slots = new Slots(options.concurrency ?? Math.max(2, availableParallelism()));
  }

  /** Which backend programs of a language get. Throws a `SandboxError` that says what to install where there is none. */
  async backend(language: Language): Promise<BackendName> {
    return (await this.#backend(language)).name;
  }

  /**
   * Runs a program to its end. Whatever the program does is a result; a `SandboxError` means that the sandbox failed, and
   * says nothing about the program.
   */
  async run(program: Program): Promise<RunResult> {
    const job: Job = {
      language: program.language,
      source: program.source,
      data: program.data ?? null,
      collect: program.collect ?? [],
      signal: program.signal ?? null,
      limits: { ...this.limits, ...program.limits },
    };
    check(job);
    const backend = await this.#backend(job.language);
    return this.#slots.run(() => backend.run(job), job.signal);
  }

  /** Removes what backends keep on disk. */
  close(): void {
    for (const backend of this.#open) backend.close();
    this.#open.clear();
    this.#backends.clear();
  }

  #backend(language: Language): Promise<Backend> {
    const known = this.#backends.get(language);
    if (known !== undefined) return known;
    const chosen = this.#choose(language).then((backend) => {
      this.#open.add(backend);
      return backend;
    });
    this.#backends.set(language, chosen);
    chosen.catch(() => this.#backends.delete(language)); // it may work later, when the machine is less busy
    return chosen;
  }

  async #choose(language: Language): Promise<Backend> {
    const { backend } = this.#options;
    if (backend === 'none') return new Unprotected(interpreters);
    if (backend === 'webassembly') return new WebAssemblyBackend();
    const found = await bubblewrapHere(language);
    if (found.backend !== null) return found.backend;
    if (backend === undefined && language === 'javascript') return new WebAssemblyBackend();
    throw new SandboxError(
      `no sandbox for ${language} programs: bubblewrap ${found.reason}. Install it (apt-get install bubblewrap) where user ` +
        "namespaces are allowed, use JavaScript programs, or give the backend 'none', which runs programs with all your rights",
    );
  }
}

function check({ collect, limits }: Job): void {
  if (collect.length > MAX_COLLECTED) throw new SandboxError(`at most ${MAX_COLLECTED} files can be collected`);
  for (const name of collect)
    if (!COLLECTED.test(name)) throw new SandboxError(`cannot collect "${name}": expected a plain file name`);
  for (const [name, value] of Object.entries(limits)) {
    if (!(Number.isFinite(value) && value > 0))
      throw new SandboxError(`the limit ${name} must be above 0, not ${value}`);
  }
}
