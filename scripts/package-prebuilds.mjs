// Copies build/Release into prebuilds/<platform>-<arch>/ under the names node-gyp-build looks for.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './native.mjs';

const libc = process.platform !== 'linux' ? '' : existsSync('/etc/alpine-release') ? '.musl' : '.glibc';
const from = path.join(root, 'build/Release');
const to = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
mkdirSync(to, { recursive: true });
for (const file of readdirSync(from)) {
  const isAddon = file === 'exit_rl.node';
  if (!isAddon && !/\.(so|dylib)$/.test(file)) continue;
  const target = path.join(to, isAddon ? `exit-rl${libc}.node` : file);
  copyFileSync(path.join(from, file), target);
  if (process.platform === 'linux') execFileSync('strip', ['--strip-unneeded', target]);
  console.log(path.relative(root, target));
}
