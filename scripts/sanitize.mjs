// The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of their own.
// --addon: the addon's TypeScript tests instead, with the sanitized addon in Node (Linux).
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { parallel, root, run } from './native.mjs';

const out = 'build/sanitize';
const withAddon = process.argv[2] === '--addon';
const target = withAddon ? 'addon' : 'native_tests';
const filters = process.argv.slice(withAddon ? 3 : 2);

function step(command, args, env = {}) {
  const code = run(command, args, { env: { ...process.env, ...env } });
  if (code !== 0) process.exit(code ?? 1);
}

const settings = ['-DEXITRL_SANITIZE=ON', `-DEXITRL_ARTIFACT_DIR=${path.join(root, out, 'build/Release')}`];
step('cmake', ['-S', '.', '-B', out, ...settings, '-DCMAKE_BUILD_TYPE=RelWithDebInfo']);
step('cmake', ['--build', out, '--target', target, '--parallel', parallel]);
if (withAddon) {
  const library = (name) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  step(process.execPath, ['scripts/test.mjs', ...(filters.length > 0 ? filters : ['native-addon/', 'lib/bridge'])], {
    LD_PRELOAD: `${library('libasan.so')} ${library('libubsan.so')}`,
    // Node itself leaks at exit, and V8 uses memory in ways that look like overflows of its own stack.
    ASAN_OPTIONS: 'detect_leaks=0:detect_stack_use_after_return=0',
    EXIT_RL_NATIVE: path.join(root, out),
  });
} else {
  step(`./${out}/native_tests`, filters);
}
