// The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of their own, and at the same time the
// device tests on kernels that are looked at for races. Ends with one line: N passed, N failed, N skipped.
// --addon: the addon's TypeScript tests instead, with the sanitized addon in Node (Linux).
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildWithCMake, parallel, root, run } from './native.mjs';

const out = 'build/sanitize';
const withAddon = process.argv[2] === '--addon';
const target = withAddon ? 'addon' : 'native_tests';
const filters = process.argv.slice(withAddon ? 3 : 2);
const total = { passed: 0, failed: 0, skipped: 0 };

function demand(code) {
  if (code !== 0) process.exit(code ?? 1);
}

/** Started here, counted and printed by `take`. */
function start(program) {
  const settled = (status) => (result) => ({ stdout: result.stdout ?? '', stderr: result.stderr ?? '', status });
  return promisify(execFile)(program, filters, { cwd: root, maxBuffer: 1 << 28 }).then(settled(0), settled(1));
}

function take({ stdout, stderr, status }) {
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  const counts = /(\d+) passed, (\d+) failed\s*$/.exec(stdout);
  const failed = Number(counts?.[2] ?? 1);
  total.passed += Number(counts?.[1] ?? 0);
  total.failed += status !== 0 && failed === 0 ? 1 : failed;
}

const settings = ['-DEXITRL_SANITIZE=ON', `-DEXITRL_ARTIFACT_DIR=${path.join(root, out, 'build/Release')}`];
demand(run('cmake', ['-S', '.', '-B', out, ...settings, '-DCMAKE_BUILD_TYPE=RelWithDebInfo']));
demand(run('cmake', ['--build', out, '--target', target, '--parallel', parallel]));
if (withAddon) {
  const library = (name) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  const words = filters.length > 0 ? filters : ['native-addon/', 'lib/bridge'];
  const env = {
    ...process.env,
    LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
    // Node itself leaks at exit, and V8 uses memory in ways that look like overflows of its own stack.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0',
    EXIT_RL_NATIVE: path.join(root, out),
  };
  process.exit(run(process.execPath, ['scripts/test.mjs', ...words], { env }) ?? 1);
}
demand(buildWithCMake('race_tests'));
const raceTests = path.join(root, 'build/cmake/race_tests');
const running = [path.join(root, out, 'native_tests'), ...(existsSync(raceTests) ? [raceTests] : [])].map(start);
take(await running[0]);
console.log('=== races between threads of kernels (of whole models, a part of the cases)');
if (running[1]) take(await running[1]);
else total.skipped += 1;
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);
