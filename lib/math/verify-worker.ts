// The verifier in a thread of a worker pool.
import { eachJob } from '../workers/each-job.ts';
import { type Verification, verify } from './verify.ts';

export interface VerifyJob {
  readonly gold: string;
  readonly answer: string;
}

export default eachJob(({ gold, answer }: VerifyJob): Verification => verify(gold, answer, { extraction: 'strict' }));
