// gpu:check: kernels and models on a card against the CPU, and whether what makes them fast has run at all.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { libraryLine } from './doctor.mjs';
import { listTests, runTests } from './native-tests.mjs';
import { excerpt } from './report.mjs';
import { howItEnded, isOver, run } from './run.mjs';
import { runs } from './runs.mjs';

const WGMMA_WORKS = ' checked; used by attention and own products';
/** Files of tests in which EXIT_RL_REPEAT counts, and how often: products of a card's size take the host a while. */
const REPEATED = { gemm_device: 20 };
const REPEATS = 100;
const NEVER_REPEATED = [
  'attention_plan',
  'batch_plan',
  'bench_device',
  'memory_device',
  'model_device',
  'rollout_device',
  'waits_device',
];
/** What compute-sanitizer looks at, on small problems only; under racecheck products take longest. */
const SANITIZED = ['glu_device', 'rows_device', 'attention_device', 'gemm_device'];

export async function check(report, card) {
  report.add({ name: 'wgmma', ...wgmma(card) });
  await cublaslt(report, card);
  const files = await listTests();
  const some = (names) => new Map(names.filter((file) => files.has(file)).map((file) => [file, files.get(file)]));
  await runTests(report, 'ops and models against the CPU', files, { seconds: 200, each: 60 });
  await golden(report);
  await runs(report);
  const products = some(['attention_device', 'attention_backward_device', 'gemm_device']);
  const without = (variable) => ({ seconds: 60, each: 40, env: () => ({ [variable]: 'off' }) });
  await runTests(report, 'attention and products without wgmma', products, without('EXIT_RL_WGMMA'));
  await runTests(report, 'products without cuBLASLt', some(['gemm_device']), without('EXIT_RL_CUBLASLT'));
  const repeated = new Map([...files].filter(([file]) => !NEVER_REPEATED.includes(file)));
  await runTests(report, 'the same bits again and again', repeated, {
    seconds: 130,
    each: 40,
    slowFails: false,
    env: (file) => ({ EXIT_RL_REPEAT: String(REPEATED[file] ?? REPEATS) }),
  });
  await sanitize(report, 'memcheck', 60, some(SANITIZED));
  await sanitize(report, 'racecheck', 150, some(SANITIZED));
}

/** On Hopper a check without wgmma would be one of another card's kernels. */
export function wgmma(card) {
  const line = libraryLine(card, 'wgmma:');
  if (card.compute !== 90) return { status: 'skipped', reason: `compute capability ${card.compute / 10} has none` };
  return line === WGMMA_WORKS
    ? { status: 'passed' }
    : { status: 'failed', reason: `the doctor says:${line ?? ' nothing'}` };
}

/** That the library was found says little: a product goes through it. */
async function cublaslt(report, card) {
  const name = 'products through cuBLASLt';
  const missing = libraryLine(card, 'cuBLASLt: ');
  if (missing !== undefined || libraryLine(card, 'cuBLASLt') === undefined)
    return report.add({ name, status: 'skipped', reason: `cuBLASLt: ${missing ?? 'not there'}` });
  report.begin(name);
  const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-gpu-'));
  const file = path.join(folder, 'bare.json');
  const args = ['gpu-ops', '--small', '--repeats', '1', '--only', 'logits_against_bare', '--json', file];
  const result = await run('./node', ['dist/bench/main.js', ...args], { seconds: 60 });
  const reason = howItEnded(result) ?? notMeasured(file);
  rmSync(folder, { recursive: true, force: true });
  const seconds = result.seconds;
  report.add({ name, status: reason ? 'failed' : 'passed', reason, seconds, output: excerpt(result.output, 40) });
}

function notMeasured(file) {
  const { results } = JSON.parse(readFileSync(file, 'utf8'));
  const reasons = results.flatMap((result) => result.notMeasured);
  return reasons.length > 0 ? reasons.map(({ label, reason }) => `${label}: ${reason}`).join('; ') : '';
}

async function golden(report) {
  const name = 'golden numbers';
  if (isOver()) return report.add({ name, status: 'unfinished', reason: 'no time left' });
  report.begin(name);
  const files = readdirSync('dist/test/golden')
    .filter((file) => /^(forward|backward|optim|policy|generate|lora)\.test\.js$/.test(file))
    .map((file) => path.join('dist/test/golden', file));
  // One that hangs is ended by the runner, so that the others' results are seen.
  const result = await run('./node', ['--test', '--test-reporter=tap', '--test-timeout=60000', ...files], {
    seconds: 100,
    env: { EXIT_RL_TEST_DEVICE: 'cuda:0' },
  });
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(result.output)?.[1] ?? 0);
  const passed = count('pass');
  const ended = howItEnded(result);
  const failed = Math.max(count('fail') + count('cancelled'), ended || passed === 0 ? 1 : 0);
  const names = [...result.output.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, test]) => test);
  report.add({
    name,
    status: failed > 0 ? 'failed' : 'passed',
    reason: failed > 0 ? [ended ?? 'no test was run', ...names].join('; ') : '',
    passed,
    failed,
    seconds: result.seconds,
    output: failed > 0 ? excerpt(result.output, 400) : [],
  });
}

async function sanitize(report, tool, seconds, files) {
  const name = `compute-sanitizer ${tool}`;
  const found = isOver() ? null : await run('compute-sanitizer', ['--version'], { seconds: 20 });
  if (found?.code !== 0)
    return report.add({ name, status: 'skipped', reason: found ? 'it is not on this machine' : 'no time left' });
  await runTests(report, name, files, {
    seconds,
    each: 100,
    slowFails: false,
    optional: true,
    wrapper: ['compute-sanitizer', '--tool', tool, '--error-exitcode', '9'],
    env: () => ({ EXIT_RL_SMALL: '1' }),
    refusal: (output) => /^.*(Device not supported|No supported CUDA device).*$/im.exec(output)?.[0].trim() ?? null,
  });
}
