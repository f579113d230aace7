// Finds what runs Python and JavaScript on this machine, and what of it a sandbox must see.
import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { javascriptPrelude } from './prelude.ts';
import type { Language, Limits } from './types.ts';

/** Beside the program. */
export const PRELUDE = 'prelude.cjs';

export interface Interpreter {
  readonly path: string;
  /** Of its own outside /usr. */
  readonly folders: readonly string[];
  /** The program's name. */
  readonly file: string;
  /** Whether the address space can be limited to the memory; V8 reserves far more than it uses. */
  readonly addressSpace: boolean;
  /** A file that stands beside the program as `PRELUDE` and is loaded before it. */
  readonly prelude: string;
  command(folder: string, limits: Limits): string[];
}

/** Programs of these names on PATH and in the usual folders. */
export function onPath(...names: string[]): string[] {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/local/bin', '/usr/bin', '/bin'];
  const found = folders
    .filter((folder) => path.isAbsolute(folder))
    .flatMap((folder) => names.map((name) => path.join(folder, name)));
  return [...new Set(found)].filter((file) => existsSync(file));
}

/** Candidates, best first. EXIT_RL_PYTHON and EXIT_RL_NODE name others, of a virtual environment for example. */
export function interpreters(language: Language): Interpreter[] {
  const chosen = process.env[language === 'python' ? 'EXIT_RL_PYTHON' : 'EXIT_RL_NODE'];
  if (language === 'python') {
    const files = chosen === undefined ? onPath('python3') : [chosen];
    return files.flatMap((file) => python(file) ?? []);
  }
  return (chosen === undefined ? [process.execPath, ...onPath('node')] : [chosen]).map(node);
}

function python(file: string): Interpreter | null {
  const question = 'import sys, json; print(json.dumps([sys.executable, sys.prefix, sys.base_prefix]))';
  try {
    const answer = execFileSync(file, ['-I', '-c', question], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [executable, ...prefixes] = JSON.parse(answer) as [string, ...string[]];
    return {
      path: executable,
      folders: outsideUsr(prefixes),
      file: 'main.py',
      addressSpace: true,
      // -I: no environment variables, no user packages, no imports from the working folder; -B: no .pyc files.
      command: (folder) => [executable, '-I', '-B', '-X', 'utf8', path.join(folder, 'main.py')],
      prelude: '',
    };
  } catch {
    return null;
  }
}

function node(file: string): Interpreter {
  const executable = existsSync(file) ? realpathSync(file) : file;
  const heap = (limits: Limits): string =>
    `--max-old-space-size=${Math.max(16, Math.floor((0.75 * limits.memoryBytes) / 2 ** 20))}`;
  return {
    path: executable,
    folders: outsideUsr([executable]),
    file: 'main.cjs',
    addressSpace: false,
    command: (folder, limits) => {
      const [prelude, program] = [PRELUDE, 'main.cjs'].map((name) => path.join(folder, name)) as [string, string];
      return [executable, heap(limits), '--v8-pool-size=1', '--single-threaded-gc', '--require', prelude, program];
    },
    prelude: javascriptPrelude,
  };
}

/** Whole prefixes, without those inside others. */
function outsideUsr(paths: readonly string[]): string[] {
  const outside = [...new Set(paths)].filter((file) => !`${file}/`.startsWith('/usr/'));
  return outside.filter((file) => !outside.some((other) => other !== file && file.startsWith(`${other}/`)));
}
