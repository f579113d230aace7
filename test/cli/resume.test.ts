// A run killed with SIGKILL at random moments resumes and ends with the same bytes as one that was left alone: weights,
// optimizer, metrics, buffer, rollouts, results. EXIT_RL_KILLS sets how many kills (default 6).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitRl, exitRlWithSignal, inTemporaryFolder, TINY } from '../support/cli.ts';

const KILLS = Number(process.env['EXIT_RL_KILLS'] ?? 6);

test(`${KILLS} kills at random moments leave no trace`, { timeout: 600_000 }, async (t) => {
  await inTemporaryFolder(async (folder) => {
    const reference = join(folder, 'reference');
    const began = Date.now();
    assert.equal(exitRl([...TINY, '--out', reference]).code, 0);
    const duration = Date.now() - began;
    const expected = contents(reference);
    assert.ok(expected.size > 40, 'checkpoints, rollouts and journals of three stages');
    let kills = 0;
    for (let run = 0; kills < KILLS; run++) {
      const path = join(folder, `run-${run}`);
      for (let start = 0; ; start++) {
        const resuming =
          start > 0 && readdirSync(folder).includes(`run-${run}`) && readdirSync(path).includes('config.yaml');
        const args = resuming ? ['train', '--resume', path] : [...TINY, '--out', path];
        // Enough time for some progress on average; the moment is random on purpose.
        const delay = kills < KILLS ? 50 + Math.random() * duration : 600_000;
        const { code, signalled, stderr } = await exitRlWithSignal(args, 'SIGKILL', delay);
        if (signalled) kills++;
        else {
          assert.equal(code, 0, stderr);
          break;
        }
      }
      assertSame(contents(path), expected);
    }
    t.diagnostic(`${kills} kills, ${expected.size} files compared`);
  });
});

test('Ctrl-C finishes the step, saves and exits with 130; resuming ends the same', { timeout: 120_000 }, async () => {
  await inTemporaryFolder(async (folder) => {
    const [reference, path] = [join(folder, 'reference'), join(folder, 'run')];
    assert.equal(exitRl([...TINY, '--out', reference]).code, 0);
    const stopped = await exitRlWithSignal([...TINY, '--out', path], 'SIGINT', /grpo 0\/12/);
    assert.equal(stopped.code, 130, stopped.stderr);
    assert.match(stopped.stderr, /--resume/);
    const resumed = exitRl(['train', '--resume', path]);
    assert.equal(resumed.code, 0, resumed.stderr);
    assertSame(contents(path), contents(reference));
  });
});

/** All files but those that hold clock times, by relative path; without what may differ between two runs of one program. */
function contents(root: string): Map<string, string> {
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

function assertSame(actual: Map<string, string>, expected: Map<string, string>): void {
  assert.deepEqual([...actual.keys()].sort(), [...expected.keys()].sort());
  for (const [name, content] of expected) assert.ok(actual.get(name) === content, `${name} differs`);
}
