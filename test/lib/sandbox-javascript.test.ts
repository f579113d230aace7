// JavaScript programs that try to do harm: the same ones in WebAssembly, which every machine has, and in bubblewrap.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { playground, SMALL, withoutBubblewrap } from '../support/sandboxes.ts';

const noBubblewrap = await withoutBubblewrap('javascript');

for (const backend of ['webassembly', 'bubblewrap'] as const) {
  describe(`javascript in ${backend}`, { skip: backend === 'bubblewrap' && noBubblewrap, concurrency: true }, () => {
    const { run, close } = playground(backend, 'javascript');
    after(close);

    test('a good program reads its data, prints, and hands over its file', async () => {
      const result = await run(
        'const rows = readFile("train.csv").trim().split("\\n"); print(listFiles().join(), rows.length);\n' +
          'console.log("second"); writeFile("submission.csv", "id,y\\n1,0.5\\n");',
      );
      assert.deepEqual([result.outcome, result.exitCode], ['exited', 0]);
      assert.equal(result.stdout, 'train.csv 2\nsecond\n');
      assert.equal(Buffer.from(result.files.get('submission.csv')!).toString(), 'id,y\n1,0.5\n');
    });

    test('promises run to their end', async () => {
      const { stdout } = await run('(async () => { await null; print(await Promise.resolve(7)); })()');
      assert.equal(stdout, '7\n');
    });

    test('an error is an exit code and a trace', async () => {
      const { outcome, exitCode, stderr } = await run('function f() {\n  null.x;\n}\nf();');
      assert.deepEqual([outcome, exitCode], ['exited', 1]);
      assert.match(stderr, /TypeError/);
      assert.match(stderr, /main\.c?js:2/);
    });

    test('an error in an asynchronous main is one', async () => {
      const { outcome, exitCode, stderr } = await run('async function main() { await null; missing(); }\nmain();');
      assert.deepEqual([outcome, exitCode], ['exited', 1]);
      assert.match(stderr, /ReferenceError/);
    });

    test('a syntax error too', async () => {
      const { outcome, exitCode, stderr } = await run('let = = 5;');
      assert.deepEqual([outcome, exitCode], ['exited', 1]);
      assert.match(stderr, /SyntaxError/);
    });

    for (const [name, source] of Object.entries({
      'an endless loop': 'for (;;);',
      'a loop that catches everything': 'for (;;) try { for (;;); } catch {} finally { for (;;); }',
      'an endless chain of promises': '(function f() { Promise.resolve().then(f); })();',
      'a regular expression that never ends': '/^(a+)+$/.test("a".repeat(40) + "!");',
    })) {
      test(`${name} ends at the wall limit`, async () => {
        const { outcome, exitCode, seconds } = await run(`print("began"); ${source}`, { seconds: 0.5 });
        assert.deepEqual([outcome, exitCode], ['timeout', null]);
        assert.ok(seconds < 10, `${seconds} s`);
      });
    }

    test('CPU time has a limit of its own', async () => {
      assert.equal((await run('for (;;);', { cpuSeconds: 1 })).outcome, 'cpu');
    });

    for (const [name, source] of Object.entries({
      'arrays that grow': 'const x = []; for (;;) x.push(new Array(10000).fill(x.length));',
      'strings that grow': 'let s = ["x"]; for (;;) s.push(s.join("") + "y".repeat(1e6));',
    })) {
      test(`too much memory: ${name}`, async () => {
        assert.equal((await run(source)).outcome, 'memory');
      });
    }

    test('a huge buffer is refused or too much', async () => {
      const { outcome, exitCode } = await run('const x = []; for (;;) x.push(new Uint8Array(2 ** 26).fill(1));');
      assert.ok(outcome === 'memory' || exitCode === 1, outcome);
    });

    test('one huge file and many large ones', async () => {
      assert.equal((await run('writeFile("big", "x".repeat(5e6))')).exitCode, 1);
      assert.equal((await run('for (let i = 0; i < 100; i++) writeFile("f" + i, "x".repeat(1e6))')).exitCode, 1);
    });

    test('twenty thousand small files', async () => {
      const { outcome, exitCode } = await run('for (let i = 0; i < 20000; i++) writeFile("f" + i, "x"); for (;;);');
      assert.ok(outcome === 'files' || exitCode === 1, outcome);
    });

    test('a flood of output', async () => {
      const { outcome, stdout } = await run('for (;;) print("x".repeat(1000))');
      assert.equal(outcome, 'output');
      assert.ok(stdout.length <= SMALL.outputBytes);
    });

    test('files of the host cannot be read', async () => {
      const source =
        'for (const p of ["../../../etc/passwd", "/etc/passwd", "..", "", "./../train.csv/../../etc/passwd", "__proto__", "constructor"])\n' +
        '  try { readFile(p); print("read", p); } catch {}';
      assert.equal((await run(source)).stdout, '');
    });

    test('names of files do not leave the working folder', async () => {
      const source =
        'for (const p of ["../x", "/x", "..", "a/../../x", "", "x".repeat(5000)]) try { writeFile(p, "x"); } catch {}\nprint(1)';
      assert.deepEqual((await run(source)).stdout, '1\n');
    });

    test('deep recursion is an error', async () => {
      const { outcome, exitCode, stderr } = await run('function f(n) { return f(n + 1) + 1; } f(0);');
      assert.deepEqual([outcome, exitCode], ['exited', 1]);
      assert.match(stderr, /call stack|stack overflow/);
    });

    test('a submission that is too large is refused', async () => {
      const { files, refused } = await run('writeFile("submission.csv", "x".repeat(2e6))');
      assert.deepEqual([files.size, refused.get('submission.csv')], [0, 'is larger than 1048576 bytes']);
    });

    test('text that is no Unicode', async () => {
      const { outcome, stdout } = await run('print("\\ud800|\\0|" + String.fromCharCode(255))');
      assert.equal(outcome, 'exited');
      assert.match(stdout, /^\ufffd+\|[\0\ufffd]\|\u00ff\n$/);
    });
  });
}

describe('javascript in webassembly alone', { concurrency: true }, () => {
  const { run, close } = playground('webassembly', 'javascript');
  after(close);

  test('nothing of the host is there', async () => {
    const source =
      'const names = ["process", "require", "module", "fetch", "WebAssembly", "Worker", "setTimeout", "Buffer", "XMLHttpRequest", "std", "os"];\n' +
      'const found = names.filter((n) => typeof globalThis[n] !== "undefined");\n' +
      'const host = [readFile, print, console.log].map((f) => f.constructor.constructor("return typeof process")());\n' +
      'print(JSON.stringify([found, host]));';
    assert.equal((await run(source)).stdout, '[[],["undefined","undefined","undefined"]]\n');
  });

  test('modules cannot be imported', async () => {
    const source = 'import("node:fs").then(() => print("imported"), () => print("refused"))';
    assert.equal((await run(source)).stdout, 'refused\n');
  });

  test('memory stays bounded while a program catches its errors', async () => {
    const before = process.memoryUsage().rss;
    await run('let x = []; for (;;) try { for (;;) x.push("y".repeat(1e5) + x.length); } catch { x = []; }', {
      seconds: 1,
    });
    assert.ok(process.memoryUsage().rss - before < 4 * SMALL.memoryBytes);
  });
});
