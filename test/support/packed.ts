// A packed folder as scripts/gpu-check.mjs finds it on a bare machine, with stand-ins for the doctor, the native tests, the
// benchmarks and compute-sanitizer: what a card would do is a word in a file.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../lib/config/root.ts';

/** What a test does: pass, fail, crash (the process ends with code 3), hang; or be large, which only a small problem escapes. */
export type Behaviour = 'ok' | 'fail' | 'crash' | 'hang' | 'large';

export interface Machine {
  readonly compute?: number;
  readonly libraries?: readonly string[];
  /** Of the doctor, as long as wgmma is not switched off. */
  readonly doctor?: 'ok' | 'hang' | 'none';
  readonly tests?: Readonly<Record<string, Readonly<Record<string, Behaviour>>>>;
  /** What compute-sanitizer prints instead of running anything. */
  readonly sanitizer?: string;
  /** What a run from the command line finds its rollouts' log-probabilities off by (0), or that it has no steps; null: it ends with code 1. */
  readonly mismatch?: number | 'no steps' | null;
  /** Source of dist/bench/main.js. */
  readonly bench?: string;
}

export interface Part {
  readonly name: string;
  readonly status: string;
  readonly reason?: string;
  readonly passed: number;
  readonly failed: number;
  readonly failures?: readonly { readonly test: string; readonly reason: string; readonly output: readonly string[] }[];
  readonly notRun?: readonly string[];
  readonly mismatch?: Readonly<Record<string, number>>;
}

export interface Results {
  readonly commit: string;
  readonly card: { readonly name: string; readonly libraries: readonly string[] } | null;
  readonly complete: boolean;
  readonly running: string | null;
  readonly failed: number;
  readonly parts: readonly Part[];
}

export const WGMMA = 'wgmma: checked; used by attention and own products';
const HANG = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
const SHEBANG = `#!${process.execPath}\n`;

const CLI = `
const fs = require('fs');
const machine = JSON.parse(fs.readFileSync('machine.json', 'utf8'));
if (process.argv[2] === 'eval') process.exit(0);
if (process.argv[2] === 'train') {
  const { mismatch = 0 } = machine;
  if (mismatch === null) process.exit(1);
  const out = process.argv[process.argv.indexOf('--out') + 1];
  fs.mkdirSync(out, { recursive: true });
  const step = { step: 1, mismatch, mismatchMean: mismatch / 8, mismatchK3: 0 };
  const steps = mismatch === 'no steps' ? [] : [step];
  fs.writeFileSync(out + '/metrics.jsonl', [{ step: 0 }, ...steps].map((one) => JSON.stringify(one)).join('\\n'));
  process.exit(0);
}
const off = process.env.EXIT_RL_WGMMA === 'off';
if (machine.doctor === 'hang' && !off) ${HANG}
const card = { name: 'Card 100', note: '', compute: machine.compute ?? 90, libraries: machine.libraries ?? [${JSON.stringify(WGMMA)}] };
const none = machine.doctor === 'none';
console.log(JSON.stringify({ cuda: { reason: none ? 'there is no NVIDIA driver' : '', devices: none ? [] : [card] } }));
`;

const TESTS = `
const { tests = {} } = JSON.parse(require('fs').readFileSync('machine.json', 'utf8'));
const all = Object.entries(tests).flatMap(([file, named]) => Object.entries(named).map(([name, does]) => ({ file, name, does })));
const args = process.argv.slice(2);
if (args[0] === '--list') {
  for (const { file, name } of all) console.log(file + '.cc ' + name);
  process.exit(0);
}
let [passed, failed] = [0, 0];
for (const { name, does } of all.filter(({ name }) => args.includes('=' + name))) {
  process._rawDebug('RUN ' + name);
  if (does === 'crash') process.exit(3);
  if (does === 'hang') ${HANG}
  const bad = does === 'fail' || (does === 'large' && process.env.SANITIZED && !process.env.EXIT_RL_SMALL);
  process._rawDebug((bad ? 'FAILED ' : 'ok ') + name);
  bad ? failed++ : passed++;
}
process._rawDebug(passed + ' passed, ' + failed + ' failed');
process.exit(failed > 0 ? 1 : 0);
`;

const SANITIZER = `
const { sanitizer } = JSON.parse(require('fs').readFileSync('machine.json', 'utf8'));
const [tool, , , , ...command] = process.argv.slice(2);
if (tool === '--version') process.exit(0);
if (sanitizer) {
  console.log(sanitizer);
  process.exit(1);
}
const env = { ...process.env, SANITIZED: '1' };
process.exit(require('child_process').spawnSync(command[0], command.slice(1), { stdio: 'inherit', env }).status);
`;

export class Packed {
  readonly folder: string;

  constructor(folder: string, machine: Machine) {
    this.folder = folder;
    const write = (file: string, content: string): void => {
      const at = path.join(folder, file);
      mkdirSync(path.dirname(at), { recursive: true });
      writeFileSync(at, content, { mode: 0o755 });
    };
    write('machine.json', JSON.stringify(machine));
    write('COMMIT', 'abc\n');
    write('dist/lib/cli/main.js', CLI);
    write('dist/bench/main.js', machine.bench ?? '');
    write('dist/test/golden/forward.test.js', `require('node:test').test('golden', () => {});`);
    write('build/cmake/gpu_tests', SHEBANG + TESTS);
    write('bin/compute-sanitizer', SHEBANG + SANITIZER);
    symlinkSync(process.execPath, path.join(folder, 'node'));
  }

  /** Runs gpu:check or gpu:bench, and ends it from outside as soon as `until` holds. */
  run(what: 'check' | 'bench', env: Record<string, string> = {}, until = (): boolean => false): Promise<number | null> {
    // Without this a test run inside a test reports to the outer one.
    const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
    const child = spawn(process.execPath, [path.join(packageRoot(), 'scripts/gpu-check.mjs'), what, 'results'], {
      cwd: this.folder,
      stdio: 'ignore',
      env: { ...outer, PATH: `${path.join(this.folder, 'bin')}:${process.env['PATH']}`, ...env },
    });
    const timer = setInterval(() => until() && child.kill('SIGTERM'), 50);
    return new Promise((resolve) =>
      child.on('close', (code) => {
        clearInterval(timer);
        resolve(code);
      }),
    );
  }

  has(file: string): boolean {
    return existsSync(path.join(this.folder, 'results', file));
  }

  results(file: string): Results {
    return JSON.parse(readFileSync(path.join(this.folder, 'results', file), 'utf8')) as Results;
  }

  part(file: string, name: string): Part {
    const part = this.results(file).parts.find((one) => one.name === name);
    if (!part) throw new Error(`${file} has no part ${name}`);
    return part;
  }
}
