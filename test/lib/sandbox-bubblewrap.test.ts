// Python programs that try to do harm, in bubblewrap.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, describe, test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import { playground, processesWith, SMALL, withoutBubblewrap } from '../support/sandboxes.ts';

const skip = await withoutBubblewrap('python');
process.env['EXIT_RL_TEST_SECRET'] = 'do-not-tell';

/** Prints the names of attempts that did not fail. */
const ATTEMPTS = `
import os
def attempt(name, action):
    try:
        action()
        print("done:", name)
    except (OSError, ValueError) as error:
        pass
`;

describe('python in bubblewrap', { skip, concurrency: true }, () => {
  const { run, data, close } = playground('bubblewrap', 'python');
  after(close);
  const quiet = async (source: string): Promise<void> => {
    const { outcome, exitCode, stdout, stderr } = await run(ATTEMPTS + source);
    assert.deepEqual({ outcome, exitCode, stdout, stderr }, { outcome: 'exited', exitCode: 0, stdout: '', stderr: '' });
  };

  test('a good program reads its data, prints, and hands over its file', async () => {
    const result = await run(
      'import os\nrows = open(os.environ["DATA_DIR"] + "/train.csv").read()\nprint(rows.count("\\n"))\n' +
        'open("submission.csv", "w").write("id,y\\n1,0.5\\n")',
    );
    assert.equal(result.outcome, 'exited');
    assert.equal(result.exitCode, 0);
    assert.equal(result.stdout, '2\n');
    assert.equal(Buffer.from(result.files.get('submission.csv')!).toString(), 'id,y\n1,0.5\n');
  });

  test('an error is an exit code and a traceback', async () => {
    const { outcome, exitCode, stderr, files } = await run('def f():\n    return 1 / 0\nf()');
    assert.deepEqual([outcome, exitCode, files.size], ['exited', 1, 0]);
    assert.match(stderr, /line 2, in f[\s\S]*ZeroDivisionError/);
  });

  test('an endless loop ends at the wall limit', async () => {
    const { outcome, exitCode, seconds } = await run('while True: pass', { seconds: 0.6 });
    assert.deepEqual([outcome, exitCode], ['timeout', null]);
    assert.ok(seconds < 10, `${seconds} s`);
  });

  test('ignoring every signal does not help', async () => {
    const source =
      'import signal, time\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n' +
      'print("ready", flush=True)\ntime.sleep(60)';
    const { outcome, stdout } = await run(source, { seconds: 1.2 });
    assert.deepEqual([outcome, stdout], ['timeout', 'ready\n']);
  });

  test('CPU time has a limit of its own', async () => {
    assert.equal((await run('while True: pass', { cpuSeconds: 1 })).outcome, 'cpu');
  });

  test('a fork bomb is held and cleared', async () => {
    const source = 'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass # fork-bomb-marker';
    const { outcome, seconds } = await run(source, { seconds: 0.6 });
    assert.equal(outcome, 'timeout');
    assert.ok(seconds < 15, `${seconds} s`);
  });

  test('processes are counted', async () => {
    const source =
      'import os, signal\nforked = 0\ntry:\n    while forked < 100:\n        if os.fork() == 0: signal.pause()\n        forked += 1\n' +
      'except OSError: pass\nprint(forked)';
    const forked = Number((await run(source)).stdout);
    assert.ok(forked >= 5 && forked < SMALL.processes, `${forked}`);
  });

  test('too much memory is an error in the program', async () => {
    const { outcome, exitCode } = await run('x = []\nwhile True: x.append(bytearray(2 ** 23))');
    assert.deepEqual([outcome, exitCode], ['memory', 1]);
  });

  test('memory is counted over all processes', async () => {
    const source =
      'import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n        x = bytearray(os.urandom(1) * (60 * 2 ** 20))\n        time.sleep(60)\ntime.sleep(60)';
    assert.equal((await run(source)).outcome, 'memory');
  });

  test('memory that no limit sees cannot be had', () =>
    quiet('attempt("memfd", lambda: os.memfd_create("x"))\nopen("/dev/shm/in-the-folder", "w").write("x")'));

  test('one huge file', async () => {
    const { exitCode, stderr } = await run('f = open("big", "wb")\nwhile True: f.write(bytes(2 ** 20))');
    assert.equal(exitCode, 1);
    assert.match(stderr, /File too large/);
  });

  test('many large files', async () => {
    const { exitCode, stderr } = await run('for i in range(100): open(str(i), "wb").write(bytes(2 ** 20))');
    assert.equal(exitCode, 1);
    assert.match(stderr, /No space left/);
  });

  test('twenty thousand small files', async () => {
    const { outcome } = await run('import time\nfor i in range(20000): open(str(i), "w")\ntime.sleep(60)');
    assert.equal(outcome, 'files');
  });

  test('a flood of output', async () => {
    const { outcome, stdout, stderr } = await run(
      'import sys\nwhile True: print("x" * 1000); print("y" * 1000, file=sys.stderr)',
    );
    assert.equal(outcome, 'output');
    assert.ok(stdout.length + stderr.length <= SMALL.outputBytes);
  });

  test('bytes that are no text', async () => {
    const { outcome, stdout } = await run('import sys\nsys.stdout.buffer.write(bytes(range(256)))');
    assert.equal(outcome, 'exited');
    assert.ok(stdout.startsWith('\0\x01') && stdout.endsWith('\ufffd'));
  });

  test('files of the host cannot be read', () =>
    quiet(
      `for p in ["/etc/passwd", "/etc/shadow", "/root", "/home", "/var", ${JSON.stringify(packageRoot())}, ${JSON.stringify(data)},\n` +
        '        "/proc/1/root/etc/passwd", "/proc/1/cwd/etc/passwd", "/data/../etc/passwd"]:\n' +
        '    attempt("read " + p, lambda: open(p).read() if "." in p or "etc" in p else os.listdir(p))',
    ));

  test('nothing outside the working folder can be written', () =>
    quiet(
      'for p in ["/x", "/usr/x", "/data/x", "/data/train.csv", "/program/main.py", "/program/x", "/dev/x", "/etc/x", "/proc/sys/x",\n' +
        '        "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"]:\n' +
        '    attempt("write " + p, lambda: open(p, "w").write("x"))\n' +
        'attempt("delete", lambda: os.remove("/data/train.csv"))\nattempt("chmod", lambda: os.chmod("/data", 0o777))',
    ));

  test('core_pattern stays what it was', async () => {
    const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
    await run('import os\nfd = os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)\nos.write(fd, b"|/bin/evil")');
    assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), before);
  });

  test('no namespaces, mounts or tracing', () =>
    quiet(
      'import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n' +
        'for name, *args in [("unshare", 0x10000000), ("unshare", 0x20000), ("ptrace", 16, 1, 0, 0), ("setuid", 0),\n' +
        '                    ("mount", b"none", b"/job", b"tmpfs", 0, None), ("chroot", b"/job")]:\n' +
        '    if getattr(libc, name)(*args) >= 0: print("done:", name)',
    ));

  test('there is no network', async () => {
    let connections = 0;
    const server = createServer(() => connections++).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await quiet(
      `import socket\nfor address in [("127.0.0.1", ${port}), ("1.1.1.1", 53), ("169.254.169.254", 80)]:\n` +
        '    attempt(f"connect {address}", lambda: socket.create_connection(address, 1))\n' +
        'attempt("resolve", lambda: socket.getaddrinfo("example.com", 80))',
    );
    server.close();
    assert.equal(connections, 0);
  });

  test('the environment of the trainer is nowhere', async () => {
    const source =
      'import os, glob\ntext = repr(dict(os.environ))\nfor p in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):\n' +
      '    try: text += open(p).read()\n    except OSError: pass\nprint(text)';
    const { stdout } = await run(source);
    assert.match(stdout, /DATA_DIR/);
    for (const secret of ['do-not-tell', 'EXIT_RL', data]) assert.ok(!stdout.includes(secret), secret);
  });

  test('signals reach nobody outside', async () => {
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const bystander = spawn('sleep', ['20'], { stdio: 'ignore', cwd: '/', ...nobody });
    const pids = [bystander.pid, process.pid].join(', ');
    const { outcome } = await run(
      `import os, signal\nfor p in [${pids}, 1, -1]:\n    try: os.kill(p, signal.SIGKILL)\n    except OSError: pass`,
    );
    assert.ok(outcome === 'signal' || outcome === 'exited', outcome);
    assert.equal(bystander.exitCode ?? bystander.signalCode, null);
    bystander.kill();
  });

  test('daemons die with the program', async () => {
    const marker = `daemon-${process.pid}-marker`;
    const source =
      'import os, subprocess, sys\nif os.fork() == 0:\n    os.setsid()\n' +
      `    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "${marker}"], start_new_session=True,\n` +
      '                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n    os._exit(0)\nos.wait()\nprint("left")';
    assert.equal((await run(source)).stdout, 'left\n');
    assert.deepEqual(processesWith(marker), []);
  });

  test('deep recursion', async () => {
    const { exitCode, stderr } = await run('def f(n): return f(n + 1)\nf(0)');
    assert.equal(exitCode, 1);
    assert.match(stderr, /RecursionError/);
    const crash = await run('import sys\nsys.setrecursionlimit(10 ** 9)\nf = lambda x: [f(x)].sort(key=f)\nf(0)', {
      memoryBytes: 40 * 2 ** 20,
    });
    assert.ok(['signal', 'memory'].includes(crash.outcome) || crash.exitCode === 1, crash.outcome);
  });

  test('thousands of open files and threads', async () => {
    assert.match((await run('x = [open("/dev/null") for _ in range(5000)]')).stderr, /Too many open files/);
    const threads =
      'import threading, time\nfor _ in range(100): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()';
    assert.match((await run(threads)).stderr, /can't start new thread/);
  });

  test('a submission that is too large, a link, a pipe or a folder is refused', async () => {
    const cases = [
      ['open("submission.csv", "wb").write(bytes(2 ** 21))', 'is larger than 1048576 bytes'],
      ['import os; os.symlink("/etc/shadow", "submission.csv")', 'is a symbolic link'],
      ['import os; os.symlink("/data/train.csv", "submission.csv")', 'is a symbolic link'],
      ['import os; os.mkfifo("submission.csv")', 'is not a regular file'],
      ['import os; os.mkdir("submission.csv")', 'is not a regular file'],
    ] as const;
    for (const [source, reason] of cases) {
      const { outcome, files, refused } = await run(source);
      assert.deepEqual([outcome, files.size, refused.get('submission.csv')], ['exited', 0, reason], source);
    }
  });

  test('writing into the pipes of the sandbox hurts the program alone', async () => {
    const source =
      'import os\nfor fd in range(3, 20):\n    for p in [f"/proc/{os.getppid()}/fd/{fd}", f"/proc/1/fd/{fd}", f"/proc/self/fd/{fd}"]:\n' +
      '        try: open(p, "wb", buffering=0).write(b"file 5\\nexit 0\\n" * 100)\n        except OSError: pass';
    assert.equal((await run(source)).outcome, 'exited');
  });
});
