// Commands with a time limit, out of one budget for all: a lent machine may allow ten minutes for everything.
import { spawn } from 'node:child_process';

const TOTAL_SECONDS = Number(process.env.EXIT_RL_GPU_SECONDS ?? 570);
/** No part may take longer than this; for tests of this script. */
const MOST_SECONDS = Number(process.env.EXIT_RL_GPU_LIMIT ?? Number.POSITIVE_INFINITY);
/** run.sh says when it began, in seconds since 1970: unpacking counts. */
const began = process.env.EXIT_RL_GPU_BEGAN ? Number(process.env.EXIT_RL_GPU_BEGAN) * 1000 : Date.now();
/** A process in the driver's hands may outlive its SIGKILL. */
const SECONDS_TO_DIE = 5;

let current = null;

/** Seconds since the beginning. */
export const elapsed = () => (Date.now() - began) / 1000;

/** Seconds of the budget that are left. */
export const left = () => TOTAL_SECONDS - elapsed();

/** Whether so little is left that nothing more is started. */
export const isOver = () => left() < Math.min(5, TOTAL_SECONDS / 10);

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

/** Ends what runs now. */
export const killCurrent = () => current && killGroup(current);

/**
 * Runs a command in a process group of its own, so that its children end with it. Returns its exit code (null: none), signal,
 * output of both streams, seconds, and why it was stopped, or null.
 */
export function run(command, args, { seconds, env = {} }) {
  const limit = Math.max(1, Math.min(seconds, MOST_SECONDS, left()));
  const begin = Date.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    current = child;
    let output = '';
    let stopped = null;
    let dying;
    const end = (code, signal) => {
      clearTimeout(timer);
      clearTimeout(dying);
      current = null;
      resolve({ code, signal, output, stopped, seconds: (Date.now() - begin) / 1000 });
    };
    const timer = setTimeout(() => {
      stopped = `stopped after ${limit.toFixed(0)} s`;
      killGroup(child);
      dying = setTimeout(() => {
        stopped += ', but it did not end';
        for (const stream of [child.stdout, child.stderr]) stream.destroy();
        child.unref();
        end(null, 'SIGKILL');
      }, SECONDS_TO_DIE * 1000);
    }, limit * 1000);
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    child.on('error', (error) => {
      output += `${error.message}\n`;
      end(null, null);
    });
    child.on('close', end);
  });
}

/** How a command ended, in words; null where it ended well. */
export function howItEnded({ code, signal, stopped }) {
  if (stopped) return stopped;
  if (signal) return `ended by ${signal}`;
  if (code === null) return 'could not be started';
  return code === 0 ? null : `exit code ${code}`;
}
