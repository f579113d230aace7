// The pure parts of a study: plan, means over seeds, table, figures.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatConfig } from '../../lib/config/load.ts';
import type { Curve, CurvePoint } from '../../lib/evaluation/evaluate.ts';
import { summarise, trainingCurve } from '../../lib/study/aggregate.ts';
import type { RunRecord } from '../../lib/study/collect.ts';
import { estimate, t975 } from '../../lib/study/interval.ts';
import {
  firstDifference,
  planStudy,
  rejectOtherSettings,
  strategyNames,
  type StudySettings,
} from '../../lib/study/plan.ts';
import { formatStudy } from '../../lib/study/report.ts';
import { runCommand } from '../../lib/study/runs.ts';
import type { StepStats } from '../../lib/types.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const SETTINGS: StudySettings = {
  environments: ['codebreak'],
  strategies: ['grpo', 'improve'],
  seeds: 2,
  k: [0, 16],
  set: ['train.steps=3'],
};

test("Student's t quantiles agree with the tables, also beyond the table in the code", () => {
  assert.deepEqual([t975(1), t975(4), t975(30)], [12.706, 2.776, 2.042]);
  for (const [degrees, expected] of [
    [31, 2.0395],
    [60, 2.0003],
    [1000, 1.9623],
  ] as const)
    assert.ok(Math.abs(t975(degrees) - expected) < 2e-4, `${degrees}: ${t975(degrees)}`);
});

test('an estimate is the mean with its t interval; one seed has none', () => {
  const { mean, interval } = estimate([1, 2, 3]);
  assert.equal(mean, 2);
  assert.ok(Math.abs(interval![1] - (2 + 4.303 / Math.sqrt(3))) < 1e-9);
  assert.ok(Math.abs(interval![0] + interval![1] - 4) < 1e-9);
  assert.equal(estimate([5]).interval, null);
});

test('a plan has a run per environment and seed, whose configuration is checked before anything starts', () => {
  const runs = planStudy('out', SETTINGS, null);
  assert.deepEqual(
    runs.map(({ path, config }) => [path, config.seed, config.strategies, config.train.steps, config.evaluation.final]),
    [1, 2].map((seed) => [join('out', 'codebreak', `seed-${seed}`), seed, ['grpo', 'improve'], 3, [0, 16]]),
  );
  assert.equal(planStudy('out', SETTINGS, 1)[0]!.config.threads, 1);
  assert.throws(
    () => planStudy('out', { ...SETTINGS, set: ['seed=4'] }, null),
    /a study sets seed itself; use --seeds/,
  );
  assert.throws(() => planStudy('out', { ...SETTINGS, set: ['train.stepz=4'] }, null), /unknown key "train\.stepz"/);
  assert.throws(
    () => strategyNames(['improv']),
    /unknown strategy "improv" \(did you mean "improve"\?\); there are: grpo,/,
  );
  assert.deepEqual(strategyNames(['improve', 'grpo', 'improve']), ['grpo', 'improve']);
});

test('a finished run is skipped, an interrupted one resumed, a new one started; other settings are refused', () =>
  inTemporaryFolder((out) => {
    const [run, other] = planStudy(out, SETTINGS, null);
    assert.deepEqual(runCommand(run!)!.slice(0, 3), ['train', '--preset', 'codebreak']);
    assert.ok(runCommand(run!)!.includes('--set=seed=1'));
    rejectOtherSettings(run!);
    mkdirSync(run!.path, { recursive: true });
    writeFileSync(join(run!.path, 'config.yaml'), formatConfig({ ...run!.config, threads: 2 }));
    rejectOtherSettings(run!); // threads change nothing
    assert.deepEqual(runCommand(run!), ['train', '--resume', run!.path]);
    writeFileSync(join(run!.path, 'results.json'), '{}');
    assert.equal(runCommand(run!), null);
    assert.notEqual(runCommand(other!), null);
    const [changed] = planStudy(out, { ...SETTINGS, set: ['train.steps=4'] }, null);
    assert.throws(
      () => rejectOtherSettings(changed!),
      /seed-1 was made with train\.steps = 3, now it would be 4; .*choose another --out/,
    );
  }));

test('the first difference of two settings is named by its path', () => {
  assert.equal(firstDifference({ a: { b: [1] } }, { a: { b: [1] } }), null);
  assert.deepEqual(firstDifference({ a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }), ['a.c', 2, 3]);
  assert.deepEqual(firstDifference({}, { a: 1 }), ['a', undefined, 1]);
});

const point = (k: number, quality: number): CurvePoint =>
  ({
    k,
    quality,
    solved: 0,
    delta: quality - 0.25,
    best: quality,
    wrongToRight: 3,
    rightToWrong: 1,
    netCorrections: 2,
    firstTurn: quality,
    totalReturn: quality,
  }) as CurvePoint;
const curve = (...qualities: number[]): Curve =>
  ({
    instances: 64,
    levels: { chance: 0.1 },
    points: qualities.map((quality, i) => point(16 * i, quality)),
  }) as unknown as Curve;
const lines: readonly StepStats[] = [
  { step: 0, 'quality@0': 0.25 },
  { step: 1, tokens: 10, depth: 0, bufferSize: 4, bufferScore: null },
  { step: 2, tokens: 20, depth: 1, bufferSize: 8, bufferScore: 0.5, 'quality@0': 0.75 },
];
const record = (seed: number, quality: number): RunRecord => ({
  environment: 'codebreak',
  seed,
  curves: { 'warm-up': curve(0.25, 0.25), improve: curve(0.25, quality) },
  metrics: { improve: lines },
});

test('a summary averages over seeds and adds up the tokens', () => {
  const { stages, seeds, instances } = summarise([record(1, 0.5), record(2, 0.75)]);
  assert.deepEqual([seeds, instances, Object.keys(stages)], [[1, 2], 64, ['warm-up', 'improve']]);
  const { points, trainedTokens, sampledTokens, training } = stages['improve']!;
  assert.deepEqual([points[1]!.k, points[1]!.quality.mean, points[1]!.quality.values], [16, 0.625, [0.5, 0.75]]);
  assert.deepEqual([trainedTokens!.mean, sampledTokens], [30, null]);
  assert.equal(stages['warm-up']!.trainedTokens, null);
  assert.deepEqual(
    training['quality@0']!.map(({ step, tokens, value }) => [step, tokens, value.mean]),
    [
      [0, 0, 0.25],
      [2, 30, 0.75],
    ],
  );
  assert.deepEqual(
    training['bufferScore']!.map(({ step }) => step),
    [2],
  );
});

test('a long training curve is averaged in bins, over the steps all seeds have', () => {
  const long = Array.from({ length: 400 }, (_, i): StepStats => ({ step: i + 1, tokens: 1, depth: i }));
  const binned = trainingCurve([long, long.slice(0, 200)], 'depth');
  assert.equal(binned.length, 40);
  assert.deepEqual([binned[0]!.step, binned[0]!.value.mean, binned.at(-1)!.step], [3, 2, 198]);
});

test('the table has the mean with half of the interval, the gain, the corrections and the tokens', () => {
  const text = formatStudy([summarise([record(1, 0.5), record(2, 0.75)])]);
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  assert.equal(new Set(rows.map((row) => row.length)).size, 1, 'the columns are aligned');
  assert.match(rows[0]!, /k = 0 \| +k = 16 \| +delta at 16 \| +net corrections at 16 \| +tokens trained on/);
  assert.match(
    rows[3]!,
    /codebreak +\| improve +\| +0\.250 ± 0\.000 \| +0\.625 ± 1\.588 \| +0\.375 ± 1\.588 \| +2 ± 0 \| +30 \|/,
  );
  assert.match(text, /codebreak: 2 seeds, 64 held-out instances each; chance 0\.100\./);
});
