// Whether somebody else uses the machine. Contention does not hit both sides alike: a pool that spins at its barriers
// (OpenMP) loses far more than one that yields, so a ratio from a busy machine flatters whoever yields.
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Above this share the ratios are not to be quoted. */
export const BUSY = 0.1;

const ticks = (): { idle: number; all: number } => {
  let [idle, all] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, all };
};

/** Share of all cores in use while this process sleeps. */
export async function busyShare(milliseconds: number): Promise<number> {
  const before = ticks();
  await sleep(milliseconds);
  const after = ticks();
  return 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

/** A warning for the worst of several shares. */
export function busyNote(...shares: readonly number[]): string[] {
  const share = Math.max(0, ...shares);
  if (share <= BUSY) return [];
  const used = `${Math.round(100 * share)} %`;
  return [`**Busy machine**: others used ${used} of the cores. Do not quote these ratios; run again when it is quiet.`];
}
