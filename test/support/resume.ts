// Runs that are stopped at any moment and go on, compared with one that was left alone: every file, byte for byte.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { exitRl, exitRlWithSignal } from './cli.ts';

/** Kills runs of `args` at random moments until `kills` have hit; each goes on and must end like an undisturbed one. */
export async function survivesKills(folder: string, args: readonly string[], kills: number): Promise<number> {
  const reference = join(folder, 'reference');
  const began = Date.now();
  assert.equal(exitRl([...args, '--out', reference]).code, 0);
  const duration = Date.now() - began;
  const expected = contents(reference);
  let hits = 0;
  for (let run = 0; hits < kills; run++) {
    const path = join(folder, `run-${run}`);
    for (let start = 0; ; start++) {
      const resuming =
        start > 0 && readdirSync(folder).includes(`run-${run}`) && readdirSync(path).includes('config.yaml');
      // Enough time for some progress on average; the moment is random on purpose.
      const delay = hits < kills ? 50 + Math.random() * duration : 600_000;
      const again = resuming ? ['train', '--resume', path] : [...args, '--out', path];
      const { code, signalled, stderr } = await exitRlWithSignal(again, 'SIGKILL', delay);
      if (signalled) hits++;
      else {
        assert.equal(code, 0, stderr);
        break;
      }
    }
    assertSame(contents(path), expected);
  }
  return expected.size;
}

/** All files but those that hold clock times, by relative path; without what may differ between two runs of one program. */
export function contents(root: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of readdirSync(root, { recursive: true }) as string[]) {
    const path = join(root, name);
    if (statSync(path).isDirectory() || name.endsWith('timings.jsonl')) continue;
    const varying = Object.entries(VARYING).find(([file]) => name.endsWith(file))?.[1];
    files.set(name, varying === undefined ? readFileSync(path, 'latin1') : without(path, varying));
  }
  return files;
}

/** Length of a file of clock times; the commit of the working copy, where somebody may be committing meanwhile. */
const VARYING: Readonly<Record<string, string>> = { 'state.json': 'timingsBytes', 'environment.json': 'commit' };

const without = (path: string, key: string): string =>
  JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), [key]: null });

export function assertSame(actual: Map<string, string>, expected: Map<string, string>): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, content] of expected) assert.ok(actual.get(name) === content, `${name} differs`);
}
