// Runs the compiled command line as a user would.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../lib/config/root.ts';

export const MAIN = join(packageRoot(), 'dist', 'lib', 'cli', 'main.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. `input`: what is typed. */
export function exitRl(args: readonly string[], options: { cwd?: string; input?: string } = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { ...options, encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

/** Starts a command and sends it a signal after a while. Resolves when it is gone. */
export function exitRlWithSignal(
  args: readonly string[],
  signal: NodeJS.Signals,
  when: number | RegExp,
): Promise<Outcome & { readonly signalled: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let signalled = false;
    let stdout = '';
    let stderr = '';
    const send = (): void => {
      if (!signalled) signalled = child.kill(signal);
    };
    const timer = typeof when === 'number' ? setTimeout(send, when) : undefined;
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
      if (when instanceof RegExp && when.test(stderr)) send();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr, signalled });
    });
  });
}

/** A folder that is gone after the callback. */
export async function inTemporaryFolder<T>(body: (path: string) => T | Promise<T>): Promise<T> {
  const path = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
  try {
    return await body(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

/** A run that takes a second or two. */
export const TINY: readonly string[] = [
  'train',
  '--preset=codebreak',
  '--set=model.decoder={width: 16, layers: 1, heads: 2, feedForward: 16}',
  '--set=warmup.steps=8',
  '--set=warmup.batch=16',
  '--set=train.steps=12',
  '--set=rollout.groups=6',
  '--set=rollout.groupSize=4',
  '--set=curriculum.capacity=24',
  '--set=curriculum.minimum=8',
  '--set=evaluation.every=4',
  '--set=evaluation.instances=8',
  '--set=evaluation.finalInstances=16',
  '--set=evaluation.final=[0, 2]',
  '--set=run.checkpointEvery=3',
];
