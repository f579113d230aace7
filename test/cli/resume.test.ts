// A run killed with SIGKILL at random moments resumes and ends with the same bytes as one that was left alone: weights,
// optimizer, metrics, buffer, rollouts, results. EXIT_RL_KILLS sets how many kills (default 6).
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { exitRl, exitRlWithSignal, inTemporaryFolder, TINY } from '../support/cli.ts';
import { assertSame, contents, survivesKills } from '../support/resume.ts';

const KILLS = Number(process.env['EXIT_RL_KILLS'] ?? 6);

test(`${KILLS} kills at random moments leave no trace`, { timeout: 600_000 }, async (t) => {
  await inTemporaryFolder(async (folder) => {
    const files = await survivesKills(folder, TINY, KILLS);
    assert.ok(files > 40, 'checkpoints, rollouts and journals of three stages');
    t.diagnostic(`${KILLS} kills, ${files} files compared`);
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
