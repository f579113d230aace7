// The side of a worker pool that runs in the thread.

export type JobResult<Result> = { readonly value: Result } | { readonly error: string };

/** Makes the default export of a worker's module from a function of one job. A job that throws fails alone. */
export function eachJob<Job, Result>(work: (job: Job) => Result | Promise<Result>) {
  return async (jobs: readonly Job[]): Promise<JobResult<Result>[]> => {
    const results: JobResult<Result>[] = [];
    for (const job of jobs) {
      try {
        results.push({ value: await work(job) });
      } catch (error) {
        results.push({ error: error instanceof Error ? error.message : String(error) });
      }
    }
    return results;
  };
}
