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

/** What bench/main.ts ends with where a case cost it the device. */
const LOST = 3;
const MOST_PROCESSES = 3;

export async function bench(report) {
  for (const part of PARTS) {
    let after = [];
    for (let i = 1; i <= MOST_PROCESSES && after; i++) after = await one(report, part, i, after);
  }
}

/** One process; the arguments of the next where this one lost its device. Later files are NAME-2.json and so on. */
async function one(report, { name: first, benchmark = first, seconds, args, env }, i, after) {
  const name = i === 1 ? first : `${first}-${i}`;
  if (isOver()) {
    report.add({ name, status: 'unfinished', reason: `no time left; node dist/bench/main.js ${benchmark} runs it` });
    return null;
  }
  report.begin(name);
  const file = path.join(report.folder, `${name}.json`);
  rmSync(file, { force: true });
  const all = ['dist/bench/main.js', benchmark, '--repeats', REPEATS, ...args, ...after, ...small, '--json', file];
  const result = await run('./node', all, { seconds, env });
  console.log(excerpt(result.output, 120).join('\n'));
  const { lost, ...found } = merge(file, report.header, result);
  report.add({ name, seconds: result.seconds, ...found });
  return lost ? ['--after', lost] : null;
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
  const lost = result.code === LOST ? measured.running : null;
  if (reasons.length > 0) return { status: 'failed', reason: reasons.join('; '), output, lost };
  const absent = [...new Set(missing.map(({ reason }) => reason))];
  return { status: 'passed', reason: absent.map((reason) => `without ${reason}`).join('; ') };
}
