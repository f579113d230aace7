// `npm install` and `npm ci`: a binary that loads is kept; else the addon is compiled here (CPU backend).
import { createRequire } from 'node:module';
import { buildWithCMake, buildWithGyp, hasCMake, root } from './native.mjs';

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
