// Packs what the checks and benchmarks need on a bare Linux machine with a GPU into one folder: the plugin, the addon, the
// compiled tests and benchmarks, this Node binary and the production packages. Below 60 MB.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { buildWithCMake, root, run } from './native.mjs';

const MOST = 60e6;

const must = (code, what) => {
  if (code === 0) return;
  console.error(`exit-rl: ${what} failed (see above)`);
  process.exit(code ?? 1);
};

/** Builds everything and fills `folder`. */
export function pack(folder) {
  must(run(process.execPath, ['scripts/build.mjs', '--tests']), 'building');
  for (const target of ['cuda_plugin', 'gpu_tests'])
    must(buildWithCMake(target), `building ${target} (is nvcc installed?)`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const take = (file) => cpSync(path.join(root, file), path.join(folder, file), { recursive: true });
  for (const file of ['package.json', 'LICENSE', 'dist', 'lib/config/presets', 'test/fixtures/golden', 'bench/peers'])
    take(file);
  for (const file of ['build/Release/exit_rl.node', 'build/Release/libexit_rl_cuda.so', 'build/cmake/gpu_tests'])
    take(file);
  for (const file of ['exit_rl.node', 'libexit_rl_cuda.so'])
    spawnSync('strip', ['--strip-unneeded', path.join(folder, 'build/Release', file)]);
  const packages = spawnSync('npm', ['ls', '--omit=dev', '--all', '--parseable'], {
    cwd: root,
    encoding: 'utf8',
  }).stdout.split('\n');
  for (const at of packages) {
    if (!at.includes('node_modules')) continue;
    const name = path.relative(root, at);
    // Type declarations and maps are for editors.
    cpSync(at, path.join(folder, name), { recursive: true, filter: (file) => !/\.(map|d\.[cm]?ts)$/.test(file) });
  }
  for (const file of ['scripts/gpu-check.mjs', 'scripts/gpu']) take(file);
  const commit = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? '';
  writeFileSync(path.join(folder, 'COMMIT'), `${commit}\n`);
  // tar and gzip are everywhere; a stripped Node is a third of its size in it.
  cpSync(process.execPath, path.join(folder, 'node'));
  spawnSync('strip', [path.join(folder, 'node'), path.join(folder, 'build/cmake/gpu_tests')]);
  const names = readdirSync(folder);
  must(spawnSync('tar', ['-czf', 'payload.tar.gz', ...names], { cwd: folder, stdio: 'inherit' }).status, 'packing');
  for (const name of names) rmSync(path.join(folder, name), { recursive: true });
  cpSync(path.join(root, 'scripts/gpu-run.sh'), path.join(folder, 'run.sh'));
  const bytes = sizeOf(folder);
  console.log(`${folder}: ${(bytes / 1e6).toFixed(1)} MB`);
  if (bytes > MOST) {
    console.error(`exit-rl: that is more than ${MOST / 1e6} MB`);
    process.exit(1);
  }
}

const sizeOf = (file) =>
  statSync(file).isDirectory()
    ? readdirSync(file).reduce((sum, name) => sum + sizeOf(path.join(file, name)), 0)
    : statSync(file).size;

const folder = path.join(root, 'build/gpu');
const what = process.argv[2] ?? 'pack';
if (!['pack', 'check', 'bench'].includes(what)) {
  console.error('usage: node scripts/gpu-pack.mjs [pack|check|bench]');
  process.exit(2);
}
pack(folder);
if (what !== 'pack') {
  const out = path.join(root, 'bench/baselines');
  must(run('bash', [path.join(folder, 'run.sh'), what, out]), `gpu:${what}`);
  const version = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;
  if (existsSync(out)) console.log(`results of version ${version} are under bench/baselines`);
}
