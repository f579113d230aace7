// Which backends work here: found out by running something in them.
import { Bubblewrap } from './bubblewrap.ts';
import { type Interpreter, interpreters, onPath } from './interpreters.ts';
import { type Backend, DEFAULT_LIMITS, type Job, type Language } from './types.ts';
import { WebAssemblyBackend } from './webassembly.ts';

const PROBE_SECONDS = 20;
const HELLO: Readonly<Record<Language, string>> = { python: 'print(6 * 7)', javascript: 'print(6 * 7)' };

export type Found =
  | { readonly backend: Backend; readonly path: string }
  | { readonly backend: null; readonly reason: string };

/**
 * bubblewrap with the first interpreter of the language that runs in it, or why there is none. EXIT_RL_BWRAP names another
 * bwrap than the one on PATH.
 */
export async function bubblewrapHere(language: Language): Promise<Found> {
  if (process.platform !== 'linux') return { backend: null, reason: `is for Linux, not ${process.platform}` };
  const command = process.env['EXIT_RL_BWRAP'] ?? onPath('bwrap')[0];
  if (command === undefined) return { backend: null, reason: 'is not installed' };
  let reason = `has no ${language} interpreter to run`;
  for (const interpreter of interpreters(language)) {
    const backend = new Bubblewrap(command, new Map<Language, Interpreter>([[language, interpreter]]));
    const problem = await probe(backend, language);
    if (problem === null) return { backend, path: interpreter.path };
    backend.close();
    reason = `does not work here with ${interpreter.path}: ${problem}`;
  }
  return { backend: null, reason };
}

/** The reason why a backend does not run programs of a language, or null. */
async function probe(backend: Backend, language: Language): Promise<string | null> {
  const limits = { ...DEFAULT_LIMITS, seconds: PROBE_SECONDS };
  const job: Job = { language, source: HELLO[language], data: null, collect: [], limits, signal: null };
  try {
    const { outcome, stdout, stderr } = await backend.run(job);
    if (stdout.trim() === '42') return null;
    return `a first program ended with "${outcome}": ${stderr.trim().slice(-300)}`;
  } catch (error) {
    return (error as Error).message;
  }
}

export interface BackendReport {
  readonly name: string;
  readonly works: boolean;
  /** The interpreter, or why it does not work. */
  readonly note: string;
}

/** For `exit-rl doctor`. */
export async function probeBackends(): Promise<BackendReport[]> {
  const reports: BackendReport[] = [];
  for (const language of ['python', 'javascript'] as const) {
    const found = await bubblewrapHere(language);
    const works = found.backend !== null;
    reports.push({ name: `bubblewrap ${language}`, works, note: works ? found.path : found.reason });
    found.backend?.close();
  }
  const problem = await probe(new WebAssemblyBackend(), 'javascript');
  reports.push({ name: 'webassembly javascript', works: problem === null, note: problem ?? 'QuickJS' });
  return reports;
}
