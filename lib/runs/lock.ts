// One process per run folder. The lock file names the process that holds it; a dead holder's lock is taken over.
import { closeSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../errors.ts';
import { diskError, writeFully } from './files.ts';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Start time of the process: tells it from a later one with the same number. Null where the system does not say. */
  readonly started: string | null;
}

/** Takes the lock of a run folder or explains who has it. Returns the function that gives it back. */
export function lockRun(folder: string): () => void {
  const path = join(folder, 'run.lock');
  const me: Holder = { pid: process.pid, host: hostname(), started: startTime(process.pid) };
  for (let attempt = 0; attempt < 3; attempt++) {
    if (create(path, me)) return () => rmSync(path, { force: true });
    const text = read(path);
    if (text === null) continue; // given back meanwhile
    const holder = parse(text);
    if (holder !== null && isAlive(holder)) {
      throw new UserError(
        `${folder} is in use by process ${holder.pid} on ${holder.host}; wait for it or stop it (lock file: ${path})`,
      );
    }
    stealStale(path, text);
  }
  throw new UserError(`cannot lock ${folder}: other processes are starting in it`);
}

function create(path: string, me: Holder): boolean {
  try {
    const file = openSync(path, 'wx');
    writeFully(file, `${JSON.stringify(me)}\n`);
    closeSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw diskError('write', path, error);
  }
}

/** Moves the stale lock aside. If another process put its own there in between, that one is put back. */
function stealStale(path: string, stale: string): void {
  const aside = `${path}.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // somebody else was faster
  }
  if (read(aside) === stale) rmSync(aside, { force: true });
  else renameSync(aside, path);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function parse(text: string): Holder | null {
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return null; // killed while writing it
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true; // another machine's processes cannot be seen from here
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return holder.started === null || startTime(holder.pid) === holder.started;
}

/** Field 22 of /proc/PID/stat (Linux), 'gone' for a zombie. Field 2 may hold spaces: count from its closing bracket. */
function startTime(pid: number): string | null {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' || fields?.[0] === 'X' ? 'gone' : (fields?.[19] ?? null);
}
