// Looks at a running sandbox from outside: memory of all its processes, and files in its folder, for which there is no
// limit of the kernel without control groups.
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { Limits, Outcome } from './types.ts';

const EVERY_MS = 50;

/** Calls `stop` when too much is in use. `init`: process id of the first process in the sandbox, once it is known. */
export function watchUse(
  init: () => number | null,
  work: string,
  limits: Pick<Limits, 'memoryBytes' | 'files'>,
  stop: (why: Outcome) => void,
): () => void {
  const timer = setInterval(() => {
    const pid = init();
    if (pid === null) return;
    try {
      if (filesIn(`/proc/${pid}/root${work}`) > limits.files) stop('files');
      else if (memoryBelow(`/proc/${pid}/root/proc`) > limits.memoryBytes) stop('memory');
    } catch {
      // It is gone, or this system shows us nothing: the limits of each process still hold.
    }
  }, EVERY_MS);
  return () => clearInterval(timer);
}

function filesIn(folder: string): number {
  const { files, ffree } = statfsSync(folder);
  return files - ffree - 1; // the folder itself
}

/** Bytes of private and shared memory, of every process a proc file system shows. */
function memoryBelow(proc: string): number {
  let bytes = 0;
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    bytes += memoryOf(`${proc}/${name}/status`);
  }
  return bytes;
}

function memoryOf(status: string): number {
  try {
    const text = readFileSync(status, 'latin1');
    const of = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
    return 1024 * (of('RssAnon') + of('RssShmem'));
  } catch {
    return 0; // it has ended
  }
}
