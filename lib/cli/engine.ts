import { UserError } from '../errors.ts';
import type { Addon } from '../native/addon.ts';

/** The native engine, loaded only by commands that compute: help and configuration errors do without. */
export async function loadEngine(): Promise<Addon> {
  try {
    return (await import('../native/load.ts')).addon;
  } catch (error) {
    throw new UserError((error as Error).message, { cause: error });
  }
}
