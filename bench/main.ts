// exit-rl bench: runs the named benchmarks (all without a name), prints Markdown, writes JSON when asked.
import { parseArgs } from 'node:util';
import { environmentFacts } from '../lib/runs/facts.ts';
import { writeAtomically } from '../lib/runs/files.ts';
import { curriculum } from './curriculum.ts';
import { gemm } from './gemm.ts';
import { gpuOps } from './gpu-ops.ts';
import { gpuPeers } from './gpu-peers.ts';
import { gpuRollout } from './gpu-rollout.ts';
import { gpuTrain } from './gpu-train.ts';
import { generate } from './generate.ts';
import { grpo } from './grpo.ts';
import { handover } from './handover.ts';
import { load1GB } from './load.ts';
import { lora } from './lora.ts';
import { ops } from './ops.ts';
import { revise } from './revise.ts';
import { rewards } from './rewards.ts';
import { sandbox } from './sandbox.ts';
import { DeviceLost } from './support/cases.ts';
import { addon } from './support/engine.ts';
import type { BenchOptions } from './support/options.ts';
import { markdown, type Report } from './support/report.ts';
import { tokenizer } from './tokenizer.ts';
import { train } from './train.ts';

const BENCHMARKS: Readonly<Record<string, (options: BenchOptions) => Promise<Report>>> = {
  ops,
  gemm,
  train,
  lora,
  generate,
  revise,
  grpo,
  handover,
  curriculum,
  load: load1GB,
  tokenizer,
  sandbox,
  rewards,
};

/** Need a card: run only when named. */
const ON_A_CARD: typeof BENCHMARKS = {
  'gpu-ops': gpuOps,
  'gpu-train': gpuTrain,
  'gpu-rollout': gpuRollout,
  'gpu-peers': gpuPeers,
};

const USAGE = `exit-rl bench [${[...Object.keys(BENCHMARKS), ...Object.keys(ON_A_CARD)].join('|')}]... [options]

  --threads N              of ours and of every peer (2)
  --repeats N              interleaved rounds; medians are reported (7)
  --no-peers               only ours
  --only TEXT              only cases whose name contains TEXT
  --micro-batch-tokens N   of our training steps (8192)
  --dtype NAME             of our models: float32 or bfloat16 (float32)
  --device NAME            of the gpu benchmarks (cuda:0)
  --after TEXT             only cases of the gpu benchmarks that come after the one of this name
  --small                  tiny shapes of the gpu benchmarks, to see that they run
  --json FILE              everything measured; the gpu benchmarks write it after every case

Peers run in the Python that EXIT_RL_PEER_PYTHON names (default: python3).`;

function positive(text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`"${text}" is not a positive number`);
  return value;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string' },
    repeats: { type: 'string' },
    'no-peers': { type: 'boolean' },
    only: { type: 'string' },
    'micro-batch-tokens': { type: 'string' },
    dtype: { type: 'string', default: 'float32' },
    device: { type: 'string', default: 'cuda:0' },
    after: { type: 'string' },
    small: { type: 'boolean', default: false },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
});
const unknown = positionals.filter((name) => !(name in BENCHMARKS) && !(name in ON_A_CARD));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no benchmark named ${unknown.join(', ')}`);
  console.log(USAGE);
  process.exit(unknown.length > 0 ? 2 : 0);
}

if (values.dtype !== 'float32' && values.dtype !== 'bfloat16') {
  throw new Error(`--dtype ${values.dtype}: expected float32 or bfloat16`);
}
const settings: Omit<BenchOptions, 'progress'> = {
  threads: positive(values.threads, 2),
  repeats: positive(values.repeats, 7),
  peers: !values['no-peers'],
  only: values.only ?? null,
  dtype: values.dtype,
  device: values.device,
  microBatchTokens: positive(values['micro-batch-tokens'], 8192),
  after: values.after === undefined ? null : { label: values.after, reached: false },
  small: values.small,
};
const facts = environmentFacts(addon.doctor());
const reports: Report[] = [];

function write(all: readonly Report[], running: string | null, complete: boolean): void {
  if (values.json === undefined) return;
  const results = all.map(({ name, title, data, notMeasured = [] }) => ({ name, title, data, notMeasured }));
  const content = { complete, running, facts, options: settings, results };
  writeAtomically(values.json, `${JSON.stringify(content, null, 2)}\n`);
}

const options: BenchOptions = {
  ...settings,
  progress: (report, running) => write([...reports, report], running, false),
};
/** Of a benchmark whose device was lost: the cases after the one that `running` names need another process. */
const LOST = 3;

for (const name of positionals.length > 0 ? positionals : Object.keys(BENCHMARKS)) {
  try {
    reports.push(await { ...BENCHMARKS, ...ON_A_CARD }[name]!(options));
  } catch (error) {
    if (!(error instanceof DeviceLost)) throw error;
    console.log(markdown(error.report));
    write([...reports, error.report], error.label, false);
    process.exit(LOST);
  }
  console.log(markdown(reports.at(-1)!));
}
write(reports, null, true);
