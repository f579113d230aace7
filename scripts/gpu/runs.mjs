// gpu:check: whole runs from the command line, trained on the card and evaluated on the CPU.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { excerpt } from './report.mjs';
import { howItEnded, isOver, run } from './run.mjs';

/** Precision, exact mode, and how far a rollout's log-probability may be from training's. */
const RUNS = [
  { name: 'a run in float32', dtype: 'float32', exact: false, most: 1e-3 },
  { name: 'a run in bfloat16', dtype: 'bfloat16', exact: false, most: 0.3 },
  { name: 'a run in bfloat16, exact', dtype: 'bfloat16', exact: true, most: 0 },
];
const SETTINGS = [
  'warmup.steps=40',
  'train.steps=10',
  'evaluation.instances=64',
  'evaluation.final=[0,2]',
  'evaluation.finalInstances=64',
];

const cli = (args) => run('./node', ['dist/lib/cli/main.js', ...args], { seconds: 60 });

export async function runs(report) {
  for (const one of RUNS) {
    if (isOver()) {
      report.add({ name: one.name, status: 'unfinished', reason: 'no time left' });
      continue;
    }
    report.begin(one.name);
    const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-gpu-'));
    report.add({ name: one.name, ...(await trained(path.join(folder, 'run'), one)) });
    rmSync(folder, { recursive: true, force: true });
  }
}

async function trained(folder, { dtype, exact, most }) {
  const set = [...SETTINGS, `model.dtype=${dtype}`, `model.exact=${exact}`].flatMap((setting) => ['--set', setting]);
  const command = ['train', '--preset', 'codebreak', '--strategy', 'improve', '--device', 'cuda:0', '--out', folder];
  const training = await cli([...command, ...set]);
  const failed = (reason, output) => ({ status: 'failed', reason, seconds: training.seconds, output: excerpt(output) });
  const ended = howItEnded(training);
  if (ended) return failed(`train: ${ended}`, training.output);
  const steps = readFileSync(path.join(folder, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ mismatch }) => mismatch !== undefined);
  if (steps.length === 0) return failed('no step was recorded', training.output);
  const largest = (key) => Math.max(...steps.map((step) => step[key] ?? Number.NaN));
  const mismatch = { max: largest('mismatch'), mean: largest('mismatchMean'), k3: largest('mismatchK3') };
  if (!(mismatch.max <= most))
    return failed(`log-probabilities of rollouts are off by ${mismatch.max}, allowed ${most}`, training.output);
  const evaluation = await cli(['eval', folder, '--device', 'cpu', '-k', '0,2', '--instances', '64']);
  const how = howItEnded(evaluation);
  if (how) return failed(`eval on the CPU: ${how}`, evaluation.output);
  return { status: 'passed', reason: '', seconds: training.seconds, mismatch };
}
