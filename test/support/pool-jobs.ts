// A worker for the tests of the pool.
import { threadId } from 'node:worker_threads';
import { eachJob } from '../../lib/workers/each-job.ts';

export type TestJob =
  | { readonly echo: number }
  | { readonly hang: true }
  | { readonly fail: string }
  | { readonly exit: true };

export default eachJob((job: TestJob): { echo: number; thread: number } => {
  if ('fail' in job) throw new Error(job.fail);
  if ('exit' in job) process.exit(3);
  if ('hang' in job) for (;;);
  return { echo: job.echo, thread: threadId };
});
