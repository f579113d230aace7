// Building the addon: cmake-js where it is installed, else plain CMake, else node-gyp. Used by install and build.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
export const parallel = String(process.env.EXIT_RL_JOBS ?? os.availableParallelism());

/** Runs a command in the package root; its exit code, or null when it does not exist. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (result.error?.code === 'ENOENT') return null;
  return result.status ?? 1;
}

export const hasCMake = () => run('cmake', ['--version'], { stdio: 'ignore' }) === 0;

function cmakeJs() {
  try {
    return path.join(path.dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js');
  } catch {
    return null; // a development dependency: absent where the package itself is a dependency
  }
}

/** EXIT_RL_CUDA=off leaves the CUDA plugin out, =on makes a missing nvcc an error; else it is built where nvcc is found. */
export const cudaOption = { off: 'OFF', on: 'ON' }[process.env.EXIT_RL_CUDA?.toLowerCase()] ?? 'AUTO';

/** Whether the CUDA plugin is to be built here: nvcc and a driver are there, or EXIT_RL_CUDA says on or off. */
export function wantsPlugin() {
  if (cudaOption !== 'AUTO') return cudaOption === 'ON';
  return existsSync('/proc/driver/nvidia/version') && run('nvcc', ['--version'], { stdio: 'ignore' }) === 0;
}

/** Configures (once) and builds one target incrementally; returns the exit code. */
export function buildWithCMake(target, out = 'build/cmake') {
  const driver = cmakeJs();
  if (!existsSync(path.join(root, out, 'CMakeCache.txt'))) {
    const configured = driver
      ? run(process.execPath, [driver, 'configure', '--out', out, `--CDEXITRL_CUDA=${cudaOption}`])
      : run('cmake', ['-S', '.', '-B', out, '-DCMAKE_BUILD_TYPE=Release', `-DEXITRL_CUDA=${cudaOption}`]);
    if (configured !== 0) return configured ?? 1;
  }
  return run('cmake', ['--build', out, '--target', target, '--parallel', parallel, '--', ...quiet(out)]) ?? 1;
}

// Make prints a line per up-to-date target; Ninja does not.
const quiet = (out) => (existsSync(path.join(root, out, 'Makefile')) ? ['--no-print-directory', '-s'] : []);

/** Compiles through node-gyp; needs Node's own headers, which official archives carry and node-gyp else downloads. */
export function buildWithGyp() {
  const prefix = path.dirname(path.dirname(process.execPath));
  const env = { ...process.env };
  if (!env.npm_config_nodedir && existsSync(path.join(prefix, 'include/node/node_api.h')))
    env.npm_config_nodedir = prefix;
  const bundled = path.join(prefix, 'lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js');
  const gyp = env.npm_config_node_gyp ?? bundled;
  if (existsSync(gyp)) return run(process.execPath, [gyp, 'rebuild'], { env });
  return run('node-gyp', ['rebuild'], { env });
}
