// `npm install` and `npm ci`: a binary that loads is kept; else the addon is compiled here, and the CUDA plugin beside it.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { buildWithCMake, buildWithGyp, hasCMake, root, wantsPlugin } from './native.mjs';

function loads() {
  try {
    createRequire(import.meta.url)('node-gyp-build')(root);
    return true;
  } catch {
    return false;
  }
}

if (!loads()) {
  const withCMake = hasCMake();
  const code = withCMake ? buildWithCMake('addon') : buildWithGyp();
  if (code !== 0) {
    console.error(
      `\nexit-rl: the native addon could not be built (${withCMake ? 'CMake' : 'node-gyp'}, see above).\n` +
        'It needs a C++20 compiler (g++ 11 or clang 14), make or ninja, and CMake 3.20.\n' +
        'Install them, for example with: apt-get install g++ make cmake; then run: npm rebuild exit-rl',
    );
    process.exit(1);
  }
}

// The CUDA plugin is compiled where it can be used, or where EXIT_RL_CUDA=on asks for it: it takes minutes. Without it the CPU
// computes, so a failure is no failure of the install.
if (hasCMake() && wantsPlugin() && !existsSync(path.join(root, 'build/Release/libexit_rl_cuda.so'))) {
  if (buildWithCMake('cuda_plugin') !== 0) {
    console.error('\nexit-rl: the CUDA plugin could not be built (see above); everything else works, on the CPU.');
    if (process.env.EXIT_RL_CUDA?.toLowerCase() === 'on') process.exit(1);
  }
}
