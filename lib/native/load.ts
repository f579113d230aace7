import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Addon } from './addon.ts';

const require = createRequire(import.meta.url);

/** The package root, found from lib/native (sources) as well as from dist/lib/native (compiled). */
export function packageRoot(): string {
  const lib = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
  const above = path.dirname(lib);
  return path.basename(above) === 'dist' ? path.dirname(above) : above;
}

function load(root: string): Addon {
  try {
    return (require('node-gyp-build') as (root: string) => Addon)(root);
  } catch (cause) {
    const { platform, arch } = process;
    throw new Error(
      `The native addon could not be loaded: ${(cause as Error).message.split('\n')[0]}\n` +
        `Looked for build/Release/exit_rl.node and prebuilds/${platform}-${arch}/*.node in ${root}.\n` +
        'To build it: npm run build in a clone, npm rebuild exit-rl where the package is a dependency. ' +
        'Either needs a C++20 compiler, make and CMake (Debian, Ubuntu: apt-get install g++ make cmake).',
      { cause },
    );
  }
}

/** The C++ addon. EXIT_RL_NATIVE names another folder to load it from (a sanitizer build, say). */
export const addon: Addon = load(process.env['EXIT_RL_NATIVE'] || packageRoot());
