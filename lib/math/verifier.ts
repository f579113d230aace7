// The verifier for rewards: in threads, with a time limit, so that not even a mistake in it can stop a run.
import { availableParallelism } from 'node:os';
import { WorkerPool } from '../workers/worker-pool.ts';
import type { Verification } from './verify.ts';
import type { VerifyJob } from './verify-worker.ts';

/** Far beyond what the verifier's own limits allow. */
const SECONDS = 5;
const BATCH = 64;

let pool: WorkerPool<VerifyJob, Verification> | null = null;

/** Rejects with a `WorkerError` where the verifier hung or died. One pool serves the process. */
export function verifyInThread(gold: string, answer: string): Promise<Verification> {
  pool ??= new WorkerPool(new URL('./verify-worker.js', import.meta.url), {
    ...{ threads: Math.max(1, Math.min(4, availableParallelism())), seconds: SECONDS, batch: BATCH },
  });
  return pool.run({ gold, answer });
}
