// The native tests, then every test/**/*.test.ts (compiled). Ends with one line: N passed, N failed, N skipped.
// Arguments: substrings of test file names; none runs everything.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './native.mjs';

const wanted = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
let broken = false;

function capture(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['inherit', 'pipe', 'inherit'], maxBuffer: 1 << 28 });
  const output = result.stdout?.toString() ?? '';
  process.stdout.write(output);
  if (result.status !== 0) broken = true;
  return output;
}

const nativeTests = ['build/cmake/native_tests', 'build/cmake/Release/native_tests'].find((file) =>
  existsSync(path.join(root, file)),
);
if (wanted.length === 0 && nativeTests) {
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(capture(path.join(root, nativeTests), []));
  total.passed += Number(counts?.[1] ?? 0);
  total.failed += Number(counts?.[2] ?? 1);
}

const files = readdirSync(path.join(root, 'test'), { recursive: true })
  .filter((file) => file.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((word) => file.includes(word))))
  .map((file) => path.join('dist/test', file.replace(/\.ts$/, '.js')))
  .sort();
if (files.length > 0) {
  const output = capture(process.execPath, ['--test', '--test-reporter=spec', '--enable-source-maps', ...files]);
  const count = (word) => Number(new RegExp(`^ℹ ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  total.passed += count('pass');
  total.failed += count('fail') + count('cancelled');
  total.skipped += count('skipped') + count('todo');
}
if (broken && total.failed === 0) total.failed = 1;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);
