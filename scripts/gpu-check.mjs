// gpu-check.mjs check|bench FOLDER: run by run.sh in the packed folder. Every part has a time limit of its own, so that one that
// hangs does not take the others' time.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const [what, out] = process.argv.slice(2);
const started = Date.now();
/** Of the benchmarks: a lent machine may allow ten minutes for a command. */
const MOST_SECONDS = 590;
const commit = readFileSync('COMMIT', 'utf8').trim();

function run(name, command, args, { seconds, env = {} }) {
  console.log(`=== ${name}`);
  const begin = Date.now();
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  const took = (Date.now() - begin) / 1000;
  console.log(output.split('\n').slice(-60).join('\n'));
  if (result.error?.code === 'ETIMEDOUT') console.log(`${name}: stopped after ${seconds} s`);
  return { name, code: result.status, seconds: took, output };
}

const doctor = spawnSync('./node', ['dist/lib/cli/main.js', 'doctor', '--json'], { encoding: 'utf8' });
const facts = JSON.parse(doctor.stdout);
const card = facts.cuda.devices[0];
console.log(JSON.stringify(facts.cuda, null, 2));
if (!card || card.note) {
  console.error(`exit-rl: no usable GPU: ${card?.note ?? facts.cuda.reason}`);
  process.exit(2);
}
const folder = path.join(out, card.name.replaceAll(/[^A-Za-z0-9]+/g, '-').toLowerCase());
mkdirSync(folder, { recursive: true });
const header = { date: new Date().toISOString(), commit, card };

const counts = (output) => {
  const native = /(\d+) passed, (\d+) failed/.exec(output);
  if (native) return { passed: Number(native[1]), failed: Number(native[2]) };
  const of = (word) => Number(new RegExp(`^(?:#|ℹ) ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  return { passed: of('pass'), failed: of('fail') + of('cancelled') };
};

if (what === 'check') {
  const golden = readdirSync('dist/test/golden')
    .filter((file) => /^(forward|backward|optim|policy|generate|lora)\.test\.js$/.test(file))
    .map((file) => path.join('dist/test/golden', file));
  const device = { EXIT_RL_TEST_DEVICE: 'cuda:0' };
  const parts = [
    run('ops and models against the CPU', 'build/cmake/gpu_tests', [], { seconds: 150 }),
    run('attention without wgmma', 'build/cmake/gpu_tests', ['device_attention'], {
      seconds: 60,
      env: { EXIT_RL_WGMMA: 'off' },
    }),
    run('golden numbers', './node', ['--test', ...golden], { seconds: 120, env: device }),
    run('the same bits a hundred times', 'build/cmake/gpu_tests', ['device_'], {
      seconds: 150,
      env: { EXIT_RL_REPEAT: '100' },
    }),
  ];
  for (const tool of ['memcheck', 'racecheck']) {
    const found = spawnSync('compute-sanitizer', ['--version']).status === 0;
    if (!found) console.log(`=== ${tool}: skipped, compute-sanitizer is not on this machine`);
    else
      parts.push(
        run(
          `compute-sanitizer ${tool}`,
          'compute-sanitizer',
          [
            '--tool',
            tool,
            '--error-exitcode',
            '9',
            'build/cmake/gpu_tests',
            'device_glu',
            'device_rms',
            'device_gemm',
            'device_attention',
          ],
          { seconds: 60 },
        ),
      );
  }
  let failed = 0;
  let passed = 0;
  const report = parts.map(({ name, code, seconds, output }) => {
    const n = counts(output);
    passed += n.passed;
    failed += n.failed + (code !== 0 && n.failed === 0 ? 1 : 0);
    return { name, code, seconds, ...n, tail: output.split('\n').slice(-40) };
  });
  writeFileSync(
    path.join(folder, 'check.json'),
    `${JSON.stringify({ ...header, passed, failed, parts: report }, null, 2)}\n`,
  );
  console.log(`${card.name}, ${((Date.now() - started) / 1000).toFixed(0)} s`);
  console.log(`${passed} passed, ${failed} failed, 0 skipped`);
  process.exit(failed > 0 ? 1 : 0);
}

const results = [];
for (const [name, seconds, without] of [
  ['gpu-ops', 200],
  ['gpu-ops', 40, { EXIT_RL_WGMMA: 'off' }],
  ['gpu-train', 180],
  ['gpu-rollout', 200],
  ['gpu-peers', 200],
]) {
  const left = MOST_SECONDS - (Date.now() - started) / 1000;
  if (left < 30) {
    console.log(`=== ${name}: no time left of ${MOST_SECONDS} s; run dist/bench/main.js ${name} by hand`);
    continue;
  }
  const file = path.join(folder, without ? `${name}-without-wgmma.json` : `${name}.json`);
  const dtype = name === 'gpu-ops' ? ['--dtype', 'bfloat16'] : [];
  const only = without ? ['--only', 'attention_'] : [];
  const part = run(
    without ? `${name} without wgmma` : name,
    './node',
    ['dist/bench/main.js', name, '--repeats', '5', '--micro-batch-tokens', '32768', ...dtype, ...only, '--json', file],
    { seconds: Math.min(seconds, left), env: without },
  );
  results.push(part.code);
  if (part.code === 0)
    writeFileSync(file, `${JSON.stringify({ ...header, ...JSON.parse(readFileSync(file, 'utf8')) }, null, 2)}\n`);
}
process.exit(results.some((code) => code !== 0) ? 1 : 0);
