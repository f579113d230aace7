// The runs of a study, some at a time, each a process of its own: what one leaves behind is a normal run folder.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../config/root.ts';
import { UserError } from '../errors.ts';
import { lockRun } from '../runs/lock.ts';
import { type PlannedRun, runState } from './plan.ts';

export interface StudyObserver {
  line(run: PlannedRun, text: string): void;
}

/** Signals that arrived; the runs get them, too. */
export interface StudyStop {
  requested: boolean;
  /** Called with every further signal. */
  forward: (signal: NodeJS.Signals) => void;
}

/** Arguments of the command that starts a run or goes on with it; null when there is nothing left to do. */
export function runCommand(run: PlannedRun): string[] | null {
  const state = runState(run.path);
  if (state === 'finished') return null;
  if (state === 'interrupted') return ['train', '--resume', run.path];
  return ['train', '--preset', run.environment, ...run.set.map((text) => `--set=${text}`), '--out', run.path];
}

/** Brings all runs to their end, `jobs` at a time. After a failure or a signal no further run is started. */
export async function finishRuns(
  runs: readonly PlannedRun[],
  jobs: number,
  observer: StudyObserver,
  stop: StudyStop,
): Promise<void> {
  const waiting = [...runs];
  const children = new Set<(signal: NodeJS.Signals) => void>();
  let failure: unknown = null;
  stop.forward = (signal) => {
    for (const kill of children) kill(signal);
  };
  const work = async (): Promise<void> => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      if (runCommand(run) === null) {
        observer.line(run, 'finished before');
        continue;
      }
      try {
        await untilFree(run, observer, stop);
        if (stop.requested || failure !== null) return;
        const command = runCommand(run); // not what it was before the wait
        if (command !== null) await runChild(run, command, observer, stop, children);
      } catch (error) {
        failure ??= error;
        stop.forward('SIGTERM'); // the others save and end
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  if (stop.requested) {
    throw new UserError('stopped and saved; the same command goes on where it stopped', { exitCode: 130 });
  }
  if (failure !== null) throw failure;
}

const LAST_LINES = 8;

function runChild(
  run: PlannedRun,
  command: readonly string[],
  observer: StudyObserver,
  stop: StudyStop,
  children: Set<(signal: NodeJS.Signals) => void>,
): Promise<void> {
  const main = join(packageRoot(), 'dist', 'lib', 'cli', 'main.js');
  // A process group of its own: Ctrl-C in a terminal reaches it once, forwarded, and not a second time, which would mean
  // "stop without saving". Should this process be killed, the next line of progress ends the run: nobody reads it any more.
  const child = spawn(process.execPath, [main, ...command], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const kill = (signal: NodeJS.Signals): void => void child.kill(signal);
  children.add(kill);
  const last: string[] = [];
  createInterface({ input: child.stderr }).on('line', (text) => {
    last.push(text);
    if (last.length > LAST_LINES) last.shift();
    observer.line(run, text);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      children.delete(kill);
      if (code === 0 || stop.requested) return resolve();
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
      const fix = 'put it right and give the same command again: finished runs are kept, the others go on';
      reject(new UserError(`the run ${run.path} ${how}; ${fix}\n${last.join('\n')}`));
    });
  });
}

const PATIENCE_MS = 120_000;

/** Waits while a run left over from a killed study notices that it is alone. */
async function untilFree(run: PlannedRun, observer: StudyObserver, stop: StudyStop): Promise<void> {
  if (!existsSync(run.path)) return;
  for (const began = Date.now(); !stop.requested; await sleep(200)) {
    try {
      lockRun(run.path)();
      return;
    } catch (error) {
      if (Date.now() - began > PATIENCE_MS) throw error;
      if (Date.now() - began < 200) observer.line(run, `waiting: ${(error as Error).message}`);
    }
  }
}
