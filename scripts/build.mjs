// Brings dist/ and build/ up to date; both builds are incremental. --tests also builds the native tests.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { buildWithCMake, buildWithGyp, hasCMake, root, run, wantsPlugin } from './native.mjs';

const tests = process.argv.includes('--tests');

function step(code, what) {
  if (code === 0) return;
  console.error(`exit-rl: ${what} failed (see above)`);
  process.exit(code ?? 1);
}

if (hasCMake()) {
  step(buildWithCMake('addon'), 'building the native addon');
  const { test } = JSON.parse(readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
  if (wantsPlugin()) step(buildWithCMake('cuda_plugin'), 'building the CUDA plugin');
  if (tests && test.length > 0) {
    step(buildWithCMake('native_tests'), 'building the native tests');
    step(buildWithCMake('emulated_plugin'), 'building the emulated device');
  }
} else if (tests) {
  step(1, 'building the native tests: CMake is not installed;');
} else if (!existsSync(path.join(root, 'build/Release/exit_rl.node'))) {
  step(buildWithGyp(), 'building the native addon');
}
step(run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.']), 'compiling TypeScript');
