// The sandbox as a whole: queue, cancellation, choice of backend, what counts as its own failure.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Bubblewrap } from '../../lib/sandbox/bubblewrap.ts';
import { SandboxError } from '../../lib/sandbox/error.ts';
import { handedOver } from '../../lib/sandbox/handed-over.ts';
import { interpreters } from '../../lib/sandbox/interpreters.ts';
import { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { seccompFilter } from '../../lib/sandbox/seccomp.ts';
import { Slots } from '../../lib/sandbox/slots.ts';
import { DEFAULT_LIMITS, type Job } from '../../lib/sandbox/types.ts';
import { exitRl, inTemporaryFolder } from '../support/cli.ts';
import { processesWith, withoutBubblewrap } from '../support/sandboxes.ts';

const skip = await withoutBubblewrap('python');

for (const [backend, language] of [
  ['webassembly', 'javascript'],
  ['bubblewrap', 'python'],
] as const) {
  describe(backend, { skip: backend === 'bubblewrap' && skip }, () => {
    test('64 programs at once, none is lost', async () => {
      const sandbox = new Sandbox({ backend });
      const results = await Promise.all(
        Array.from({ length: 64 }, (_, i) => sandbox.run({ language, source: `print(${i} * 3)` })),
      );
      sandbox.close();
      assert.deepEqual(
        results.map(({ stdout }) => Number(stdout)),
        Array.from({ length: 64 }, (_, i) => 3 * i),
      );
    });

    test('a signal stops a running program and takes a waiting one out of the queue', async () => {
      const sandbox = new Sandbox({ backend, concurrency: 1 });
      const stop = new AbortController();
      const source = language === 'python' ? 'while True: pass' : 'for (;;);';
      const running = sandbox.run({ language, source, signal: stop.signal });
      const waiting = sandbox.run({ language, source, signal: stop.signal });
      const later = sandbox.run({ language, source: 'print(1)' });
      setTimeout(() => stop.abort(new Error('enough')), 200);
      for (const result of await Promise.allSettled([running, waiting])) {
        assert.equal(result.status, 'rejected');
        assert.match(String(result.reason), /enough/);
      }
      assert.equal((await later).stdout, '1\n');
      await assert.rejects(sandbox.run({ language, source, signal: stop.signal }), /enough/);
      sandbox.close();
    });

    test('a data folder that is not there is an error of the sandbox', async () => {
      const sandbox = new Sandbox({ backend });
      await assert.rejects(sandbox.run({ language, source: 'print(1)', data: '/no/such/folder' }), SandboxError);
      sandbox.close();
    });

    test('a data folder that others may not read is read', () =>
      inTemporaryFolder(async (folder) => {
        const data = path.join(folder, 'data');
        mkdirSync(data, { mode: 0o700 });
        const file = path.join(data, 'a.csv');
        const sandbox = new Sandbox({ backend });
        const source =
          language === 'python' ? 'print(open("/data/a.csv").read(), end="")' : 'print(readFile("a.csv").trim())';
        for (const content of ['1\n', 'changed\n']) {
          writeFileSync(file, content, { mode: 0o600 });
          chmodSync(file, 0o600);
          for (const name of [data, path.relative(process.cwd(), data)]) {
            const { stdout, stderr } = await sandbox.run({ language, source, data: name });
            assert.equal(stdout, content, stderr);
          }
        }
        sandbox.close();
      }));
  });
}

test('programs end when the process that runs them is killed', { skip }, async () => {
  const marker = `orphan-${process.pid}.csv`; // in the command line of the script that collects it
  const module = new URL('../../lib/sandbox/sandbox.js', import.meta.url).href;
  const program = { language: 'python', source: 'import time\ntime.sleep(60)', collect: [marker] };
  const script =
    `import { Sandbox } from ${JSON.stringify(module)};\n` +
    `new Sandbox({ backend: 'bubblewrap' }).run(${JSON.stringify(program)});\nsetTimeout(() => console.log('running'), 400);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const of = (text: string): boolean => text.includes('prlimit') || text.startsWith('/bin/sh');
  assert.ok(processesWith(marker).some(of));
  child.kill('SIGKILL');
  await once(child, 'exit');
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(processesWith(marker), []);
});

test('a backend that runs no such language says what to do', async () => {
  const sandbox = new Sandbox({ backend: 'webassembly' });
  await assert.rejects(sandbox.run({ language: 'python', source: '' }), /runs JavaScript, not python/);
  await assert.rejects(sandbox.run({ language: 'javascript', source: '', collect: ['../x'] }), /plain file name/);
  await assert.rejects(
    sandbox.run({ language: 'javascript', source: '', limits: { seconds: Number.NaN } }),
    /limit seconds/,
  );
});

describe('a bubblewrap that does not work', () => {
  const withBwrap = async (command: string, body: () => Promise<void>): Promise<void> => {
    const before = process.env['EXIT_RL_BWRAP'];
    process.env['EXIT_RL_BWRAP'] = command;
    try {
      await body();
    } finally {
      if (before === undefined) delete process.env['EXIT_RL_BWRAP'];
      else process.env['EXIT_RL_BWRAP'] = before;
    }
  };

  for (const command of ['/no/such/bwrap', '/bin/false']) {
    test(`${command}: Python is refused with advice, JavaScript runs in WebAssembly`, () =>
      withBwrap(command, async () => {
        const sandbox = new Sandbox();
        const python = sandbox.run({ language: 'python', source: 'print(1)' });
        await assert.rejects(
          python,
          (error) =>
            error instanceof SandboxError && /Install it.*'none', which runs programs with all/.test(error.message),
        );
        assert.equal(await sandbox.backend('javascript'), 'webassembly');
        assert.equal((await sandbox.run({ language: 'javascript', source: 'print(1)' })).stdout, '1\n');
      }));
  }

  test('a run that does not start is an error of the sandbox, not a result', async () => {
    const node = interpreters('javascript')[0]!;
    const job: Job = {
      ...{ language: 'javascript', source: '', data: null, collect: [], limits: DEFAULT_LIMITS, signal: null },
    };
    for (const [command, reason] of [
      ['/bin/false', /did not start/],
      ['/no/such/bwrap', /cannot start .*ENOENT/],
    ] as const) {
      const backend = new Bubblewrap(command, new Map([['javascript', node]]));
      await assert.rejects(backend.run(job), (error) => error instanceof SandboxError && reason.test(error.message));
    }
  });
});

test('the doctor says which backends run programs here', () => {
  const { stdout } = exitRl(['doctor', '--json']);
  const { sandboxes } = JSON.parse(stdout) as { sandboxes: { name: string; works: boolean; note: string }[] };
  assert.deepEqual(
    sandboxes.map(({ name }) => name),
    ['bubblewrap python', 'bubblewrap javascript', 'webassembly javascript'],
  );
  assert.equal(sandboxes[2]!.works, true);
  assert.equal(sandboxes[0]!.works, skip === false);
});

test('programs run without protection only when asked for', async () => {
  const sandbox = new Sandbox({ backend: 'none' });
  const good = await sandbox.run({
    language: 'javascript',
    source: 'writeFile("submission.csv", "a"); require("node:fs").symlinkSync("/etc/passwd", "link"); process.exit(3)',
    collect: ['submission.csv', 'link', 'absent'],
  });
  assert.deepEqual([good.outcome, good.exitCode], ['exited', 3]);
  assert.deepEqual([...good.files.keys()], ['submission.csv']);
  assert.equal(good.refused.get('link'), 'is a symbolic link');
  const late = await sandbox.run({ language: 'javascript', source: 'for (;;);', limits: { seconds: 0.5 } });
  assert.equal(late.outcome, 'timeout');
});

test('slots are given back after failures, in order', async () => {
  const slots = new Slots(1);
  const order: number[] = [];
  const task = (i: number) => async (): Promise<void> => {
    order.push(i);
    if (i === 0) throw new Error('first');
  };
  const results = await Promise.allSettled([0, 1, 2].map((i) => slots.run(task(i))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled', 'fulfilled'],
  );
  assert.deepEqual(order, [0, 1, 2]);
});

test('files that are handed over: whatever the stream says, only its own bytes are taken', () => {
  const read = (text: string): unknown => {
    const { files, refused } = handedOver(Buffer.from(text), ['a', 'b'], 10);
    return [[...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]), [...refused]];
  };
  assert.deepEqual(read('file 3\nxyzfile 0\n'), [
    [
      ['a', 'xyz'],
      ['b', ''],
    ],
    [],
  ]);
  assert.deepEqual(read('none\nlink\n'), [[], [['b', 'is a symbolic link']]]);
  assert.deepEqual(read('file 11\n01234567890large\n'), [
    [],
    [
      ['a', 'is larger than 10 bytes'],
      ['b', 'is larger than 10 bytes'],
    ],
  ]);
  const lost = 'was not handed over';
  for (const text of ['', 'file 5\nab', 'file -1\n', 'file 99999999999999999999\n', '\n\n']) {
    const [files, refused] = read(text) as [unknown[], [string, string][]];
    assert.equal(files.length, 0, text);
    assert.deepEqual(
      refused.map(([, reason]) => reason),
      [lost, lost],
      text,
    );
  }
});

test('the system call filter jumps to its end and nowhere else', () => {
  for (const processor of ['x64', 'arm64']) {
    const bytes = seccompFilter(processor)!;
    const length = bytes.length / 8;
    const refusal = length - 1;
    for (let i = 5; i < length - 2; i++) assert.equal(i + 1 + bytes.readUInt8(8 * i + 2), refusal, `${processor} ${i}`);
    assert.equal(4 + 1 + bytes.readUInt8(8 * 4 + 2), refusal);
  }
  assert.equal(seccompFilter('riscv64'), null);
});
