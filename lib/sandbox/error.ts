import { UserError } from '../errors.ts';

/** The sandbox itself failed: says nothing about the program, and must never count as a score of 0. */
export class SandboxError extends UserError {
  override readonly name = 'SandboxError';
}
