// run.sh of the packed folder: where results go, and that a newer payload is the one that runs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import { inTemporaryFolder } from '../support/cli.ts';

test('a relative folder is the caller’s, and every payload is unpacked once', () =>
  inTemporaryFolder((temporary) => {
    const folder = path.join(realpathSync(temporary), 'packed');
    const caller = path.join(realpathSync(temporary), 'caller');
    for (const each of [folder, caller]) mkdirSync(each);
    copyFileSync(path.join(packageRoot(), 'scripts/gpu-run.sh'), path.join(folder, 'run.sh'));
    const pack = (version: string): void => {
      writeFileSync(path.join(temporary, 'node'), `#!/bin/sh\necho ${version} "$@"; ls\n`, { mode: 0o755 });
      writeFileSync(path.join(temporary, version), '');
      execFileSync('tar', ['-czf', path.join(folder, 'payload.tar.gz'), '-C', temporary, 'node', version]);
    };
    const run = (): string[] =>
      execFileSync('bash', [path.join(folder, 'run.sh'), 'check', 'results'], { cwd: caller, encoding: 'utf8' })
        .trim()
        .split('\n');
    const says = (version: string): string[] => [
      `${version} scripts/gpu-check.mjs check ${path.join(caller, 'results')}`,
      ...['node', 'payload.cksum', version].sort(),
    ];
    pack('first');
    assert.deepEqual(run(), says('first'));
    assert.deepEqual(run(), says('first'));
    pack('second');
    assert.deepEqual(run(), says('second'));
  }));
