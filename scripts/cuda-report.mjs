// Builds the CUDA plugin in a folder of its own and reads the compiler's report: registers, stack, spills and shared memory of every
// kernel. Fails where a kernel keeps anything in local memory (spilled registers, or an array whose index is not known).
// Arguments: architectures as CMake names them (default 90a-real). Prints the heaviest kernels; --json FILE writes all.
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parallel, root, run } from './native.mjs';

const args = process.argv.slice(2);
const json = args.includes('--json') ? args.splice(args.indexOf('--json'), 2)[1] : null;
const architectures = args.length > 0 ? args : ['90a-real'];
const out = 'build/cuda-report';

rmSync(path.join(root, out), { recursive: true, force: true });
const settings = [
  '-DCMAKE_BUILD_TYPE=Release',
  '-DEXITRL_CUDA=ON',
  `-DCMAKE_CUDA_ARCHITECTURES=${architectures.join(';')}`,
  '-DCMAKE_CUDA_FLAGS=-Xptxas=-v',
  `-DEXITRL_ARTIFACT_DIR=${path.join(root, out, 'plugin')}`,
];
if (run('cmake', ['-S', '.', '-B', out, ...settings], { stdio: ['ignore', 'ignore', 'inherit'] }) !== 0)
  process.exit(1);
const build = spawnSync('cmake', ['--build', out, '--target', 'cuda_plugin', '--parallel', parallel], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 28,
});
const log = `${build.stdout}${build.stderr}`;
if (build.status !== 0) {
  const words = log.split('\n').filter((line) => !/^ptxas info|bytes stack frame/.test(line));
  console.error(words.slice(-60).join('\n'));
  process.exit(1);
}

const kernels = [];
for (const line of log.split('\n')) {
  const entry = /Compiling entry function '(\S+)' for '(\S+)'/.exec(line);
  if (entry) kernels.push({ name: entry[1], architecture: entry[2], stack: 0, spills: 0, registers: 0, shared: 0 });
  const kernel = kernels.at(-1);
  const memory = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
  if (kernel && memory) {
    kernel.stack = Number(memory[1]);
    kernel.spills = Number(memory[2]) + Number(memory[3]);
  }
  const used = /Used (\d+) registers/.exec(line);
  if (kernel && used) kernel.registers = Number(used[1]);
}
const names =
  spawnSync('c++filt', { input: kernels.map((kernel) => kernel.name).join('\n'), encoding: 'utf8' }).stdout?.split(
    '\n',
  ) ?? [];
for (const [i, kernel] of kernels.entries()) {
  kernel.name = (names[i] || kernel.name)
    .replaceAll('exitrl::cuda::', '')
    .replaceAll('(anonymous namespace)::', '')
    .replace(/\(.*$/s, '')
    .replace(/^void /, '');
}
if (json) writeFileSync(json, `${JSON.stringify(kernels, null, 2)}\n`);

const local = kernels.filter(({ stack, spills }) => stack > 0 || spills > 0);
const heaviest = [...kernels].sort((a, b) => b.registers - a.registers).slice(0, 12);
for (const { name, architecture, registers } of heaviest)
  console.log(`${String(registers).padStart(4)} registers  ${architecture}  ${name}`);
for (const { name, architecture, stack, spills } of local) {
  console.log(`LOCAL MEMORY: ${architecture} ${name}: ${stack} bytes of stack, ${spills} bytes of spills`);
}
console.log(`${kernels.length} kernels for ${architectures.join(', ')}: ${local.length} use local memory`);
process.exit(kernels.length === 0 || local.length > 0 ? 1 : 0);
