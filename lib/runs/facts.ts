// What a run ran on: recorded once, so that numbers can be compared later.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { packageRoot, packageVersion } from '../config/root.ts';
import type { Doctor } from '../native/addon.ts';

/** Facts of the machine, the software and the native engine. */
export function environmentFacts(doctor: Doctor): Record<string, unknown> {
  return {
    version: packageVersion(),
    commit: gitCommit(),
    node: process.version,
    platform: `${platform()} ${release()} ${arch()}`,
    cpu: cpus()[0]?.model ?? null,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    simd: doctor.simd,
    bf16: doctor.bf16,
    threads: doctor.threads,
    compiler: doctor.compiler,
  };
}

/** Commit of a working copy; null in an installed package. */
function gitCommit(): string | null {
  const root = packageRoot();
  if (!existsSync(join(root, '.git'))) return null;
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}
