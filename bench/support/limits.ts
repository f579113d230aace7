// What the machine can do at most: the fastest run counts, because a disturbed one says nothing about a limit.
import { addon } from './engine.ts';

/** FLOP/s of fused multiply-adds in registers, and bytes/s of copying what no cache holds. */
export function limits(): { arithmetic: number; bandwidth: number } {
  const peak = addon.bench('peak', [], 5);
  const stream = addon.bench('stream', [1 << 25], 5);
  return { arithmetic: peak.flops / Math.min(...peak.seconds), bandwidth: stream.bytes / Math.min(...stream.seconds) };
}
