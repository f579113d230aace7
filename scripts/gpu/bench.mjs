// gpu:bench: the benchmarks on a card, one process each. They write what they have after every case; what is there when one fails
// or is stopped is kept.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { excerpt, writeJson } from './report.mjs';
import { howItEnded, isOver, run } from './run.mjs';

const small = process.env.EXIT_RL_GPU_SMALL ? ['--small'] : [];
const REPEATS = small.length > 0 ? '1' : '5';
const PARTS = [
  { name: 'gpu-ops', seconds: 140, args: ['--dtype', 'bfloat16'] },
  {
    name: 'gpu-ops-without-wgmma',
    benchmark: 'gpu-ops',
    seconds: 30,
    args: ['--dtype', 'bfloat16', '--only', 'attention_'],
    env: { EXIT_RL_WGMMA: 'off' },
  },
  { name: 'gpu-train', seconds: 130, args: ['--micro-batch-tokens', '32768'] },
  { name: 'gpu-rollout', seconds: 150, args: [] },
  { name: 'gpu-peers', seconds: 200, args: [] },
];

/** Reasons of cases that only a machine with these can measure. */
const MAY_BE_ABSENT = /^cuBLASLt: (?!cannot be used)|^peer not installed/;

export async function bench(report) {
  for (const { name, benchmark = name, seconds, args, env } of PARTS) {
    if (isOver()) {
      report.add({ name, status: 'unfinished', reason: `no time left; node dist/bench/main.js ${benchmark} runs it` });
      continue;
    }
    report.begin(name);
    const file = path.join(report.folder, `${name}.json`);
    rmSync(file, { force: true });
    const all = ['dist/bench/main.js', benchmark, '--repeats', REPEATS, ...args, ...small, '--json', file];
    const result = await run('./node', all, { seconds, env });
    console.log(excerpt(result.output, 120).join('\n'));
    report.add({ name, seconds: result.seconds, ...merge(file, report.header, result) });
  }
}

/** Completes the file of a benchmark with the card and the commit; what can be said of it. */
function merge(file, header, result) {
  const ended = howItEnded(result);
  const output = ended ? excerpt(result.output) : [];
  if (!existsSync(file)) return { status: 'failed', reason: `${ended ?? 'ended'}, nothing was written`, output };
  const measured = JSON.parse(readFileSync(file, 'utf8'));
  const complete = measured.complete && ended === null;
  writeJson(file, { ...header, ...measured, complete });
  const missing = measured.results.flatMap(({ notMeasured }) => notMeasured);
  const faults = missing.filter(({ reason }) => !MAY_BE_ABSENT.test(reason));
  const running = measured.running ? ` in ${measured.running}` : '';
  const reasons = [
    ...(ended ? [`${ended}${running}`] : []),
    ...faults.map(({ label, reason }) => `${label}: ${reason}`),
  ];
  if (result.stopped && faults.length === 0) return { status: 'unfinished', reason: reasons[0], output };
  if (reasons.length > 0) return { status: 'failed', reason: reasons.join('; '), output };
  const absent = [...new Set(missing.map(({ reason }) => reason))];
  return { status: 'passed', reason: absent.map((reason) => `without ${reason}`).join('; ') };
}
