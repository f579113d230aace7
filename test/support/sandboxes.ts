// Small limits for programs that misbehave on purpose, and a folder of data for them to read.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bubblewrapHere } from '../../lib/sandbox/available.ts';
import { Sandbox } from '../../lib/sandbox/sandbox.ts';
import type { BackendName, Language, Limits, RunResult } from '../../lib/sandbox/types.ts';

export const SMALL: Limits = {
  // Far above what any of them needs: machines may be busy.
  seconds: 30,
  cpuSeconds: 20,
  memoryBytes: 160 * 2 ** 20,
  processes: 16,
  outputBytes: 64 * 1024,
  diskBytes: 8 * 2 ** 20,
  fileBytes: 4 * 2 ** 20,
  files: 500,
  openFiles: 64,
  collectBytes: 2 ** 20,
};

/** Why tests that need bubblewrap are skipped here; false where they are not. */
export async function withoutBubblewrap(language: Language): Promise<string | false> {
  const found = await bubblewrapHere(language);
  found.backend?.close();
  if (found.backend !== null) return false;
  console.log(`skipped: bubblewrap ${found.reason}`);
  return `bubblewrap ${found.reason}`;
}

export interface Playground {
  /** A folder of the host with train.csv. */
  readonly data: string;
  run(source: string, limits?: Partial<Limits>, signal?: AbortSignal): Promise<RunResult>;
  close(): void;
}

/** Runs programs of one language in one backend, collecting submission.csv. */
export function playground(backend: BackendName, language: Language): Playground {
  const data = mkdtempSync(path.join(tmpdir(), 'exit-rl-test-'));
  writeFileSync(path.join(data, 'train.csv'), 'id,x\n1,2\n');
  const sandbox = new Sandbox({ backend, limits: SMALL, concurrency: 3 });
  return {
    data,
    run: (source, limits = {}, signal) =>
      sandbox.run({ language, source, data, collect: ['submission.csv'], limits, ...(signal ? { signal } : {}) }),
    close: () => {
      sandbox.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

/** Command lines of the processes of this machine that contain a text. */
export function processesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const line = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return line.includes(text) ? [line] : [];
      } catch {
        return [];
      }
    });
}
