// The native tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a build folder of their own.
import os from 'node:os';
import { run } from './native.mjs';

const out = 'build/sanitize';
const steps = [
  [
    'cmake',
    ['-S', '.', '-B', out, '-DEXITRL_SANITIZE=ON', `-DEXITRL_ARTIFACT_DIR=${out}`, '-DCMAKE_BUILD_TYPE=RelWithDebInfo'],
  ],
  ['cmake', ['--build', out, '--target', 'native_tests', '--parallel', String(os.availableParallelism())]],
  [`./${out}/native_tests`, process.argv.slice(2)],
];
for (const [command, args] of steps) {
  const code = run(command, args);
  if (code !== 0) process.exit(code ?? 1);
}
