import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Environment } from '../../lib/environments/environment.ts';
import { type Curve, type EvaluationSettings, evaluate } from '../../lib/evaluation/evaluate.ts';
import { formatCurve, formatCurves } from '../../lib/evaluation/table.ts';
import type { GenerateResult, GenerateSettings, ColumnDescription } from '../../lib/native/addon.ts';
import type { Attempt, Verdict } from '../../lib/types.ts';
import { FakeModel } from '../support/fake-model.ts';

// A prompt is [instance, answers before this turn, revisions of this answer so far]; an answer is one token: how often it
// was revised. So every test can say what quality follows from where an answer stands.
type Judge = (instance: number, revisions: number, turn: number, history: readonly Attempt[]) => number | null;

function environment(turns: number, judge: Judge): Environment {
  return {
    ...{ name: 'scripted', vocabularySize: 100, promptTokens: 3, turns, selfIterationReward: 'plain' },
    attempt: { maxTokens: 1, stopTokens: [], stopSequences: [] },
    levels: { chance: 0 },
    task: (number) => number,
    key: String,
    prompt: (instance, mode, previous, history) => {
      assert.equal(mode, previous === null ? 'base' : 'improve');
      return Int32Array.of(instance as number, history.length, previous === null ? 0 : previous.tokens[0]! + 1);
    },
    judge: (instance, answer, history): Verdict => {
      const quality = judge(instance as number, answer[0]!, history.length, history);
      if (quality === null) return { status: 'infrastructure_error', reason: 'scripted' };
      return { status: 'valid', quality, feedback: new Int32Array(0) };
    },
    reference: () => new Int32Array(1),
    demonstration: () => null,
    show: String,
  } as Environment;
}

/** Answers with the third token of the prompt; the confidence is -1 / (1 + revisions). */
class CountingModel extends FakeModel {
  readonly calls: { rows: number; firstSequence: number }[] = [];

  override async generate(prompts: ColumnDescription, settings: GenerateSettings): Promise<GenerateResult> {
    this.calls.push({ rows: prompts.length, firstSequence: settings.firstSequence });
    const result = await super.generate(prompts, settings);
    const { buffer, rows, columns, offsetsByteOffset } = result.columns;
    const offsets = new Int32Array(buffer, offsetsByteOffset, rows + 1);
    const at = (name: string): number => columns.find((column) => column.name === name)!.byteOffset;
    const tokens = new Int32Array(buffer, at('tokens'), offsets[rows]!);
    const raw = new Float32Array(buffer, at('raw_logprob'), offsets[rows]!);
    for (let row = 0; row < rows; row++) {
      const last = offsets[row + 1]! - 1;
      tokens[last] = tokens[offsets[row]! + 2]!;
      raw[last] = -1 / (1 + tokens[last]!);
    }
    return result;
  }
}

const model = new CountingModel(0, 10);
const run = (env: Environment, settings: Partial<EvaluationSettings>, on = model): Promise<Curve> =>
  evaluate({ release: () => {} }, on.asNative(), env, {
    k: [0, 1, 3],
    instances: 4,
    temperature: 1,
    seed: 1,
    ...settings,
  });

test('quality, solved, corrections and differences follow the definitions', async () => {
  // Instance 0 is put right at step 1, 1 is broken at step 3, 2 stays right, 3 is half right throughout.
  const curve = await run(
    environment(1, (i, k) => [k >= 1 ? 1 : 0, k >= 3 ? 0 : 1, 1, 0.5][i]!),
    {},
  );
  const rows = curve.points.map((p) => [p.k, p.quality, p.solved, p.delta, p.wrongToRight, p.rightToWrong, p.best]);
  assert.deepEqual(rows, [
    [0, 0.625, 0.5, 0, 0, 0, 0.625],
    [1, 0.875, 0.75, 0.25, 1, 0, 0.875],
    [3, 0.625, 0.5, 0, 1, 1, 0.875],
  ]);
  assert.deepEqual(
    curve.points.map((p) => [p.netCorrections, p.revisions, p.firstTurn, p.totalReturn]),
    curve.points.map((p) => [p.wrongToRight - p.rightToWrong, p.k, p.quality, p.quality]),
  );
  const { intervals, quality } = curve.points[1]!;
  assert.ok(intervals.quality![0] < quality && intervals.quality![1] > quality);
  assert.deepEqual(curve.points[0]!.intervals.delta, [0, 0]);
});

test('the difference is to k = 0 even where that is not asked for', async () => {
  const curve = await run(
    environment(1, (_, k) => (k > 0 ? 1 : 0.25)),
    { k: [2] },
  );
  assert.deepEqual(
    curve.points.map(({ k, delta }) => [k, delta]),
    [[2, 0.75]],
  );
});

test('in several turns each k has its own pass; the last answer stands and is what the next turn sees', async () => {
  const seen = new Set<string>();
  const env = environment(3, (_, k, turn, history) => {
    seen.add(`${turn}:${history.map(({ tokens }) => tokens[0]).join()}`);
    return turn === 0 ? (k >= 1 ? 1 : 0) : history[0]!.quality / 2;
  });
  const { points, turns } = await run(env, { k: [0, 2] });
  assert.equal(turns, 3);
  assert.deepEqual([...seen].sort(), ['0:', '1:0', '1:2', '2:0,0', '2:2,2']);
  assert.deepEqual(
    points.map((p) => [p.quality, p.firstTurn, p.firstTurnSolved, p.totalReturn, p.solved]),
    [
      [0, 0, 0, 0, 0],
      [2 / 3, 1, 1, 2, 0],
    ],
  );
  assert.match(formatCurve({ ...(await run(env, { k: [0, 2] })) }), /first turn {2,}/);
});

test('an episode whose last answer has no verdict is left out, and its later turns are not played', async () => {
  const own = new CountingModel(0, 10);
  const env = environment(2, (i, _, turn) => (i === 0 && turn === 0 ? null : 1));
  const { points } = await run(env, { k: [0] }, own);
  assert.deepEqual([points[0]!.unjudged, points[0]!.quality], [1, 1]);
  assert.deepEqual(
    own.calls.map(({ rows }) => rows),
    [4, 3],
  );
});

test('samples are averaged per instance and count one by one in the corrections', async () => {
  const { points, samples } = await run(
    environment(1, (i, k) => (i === 0 && k > 0 ? 1 : 0)),
    { samples: 3, k: [0, 1] },
  );
  assert.equal(samples, 3);
  assert.deepEqual([points[1]!.quality, points[1]!.wrongToRight, points[1]!.netCorrections], [0.25, 3, 3]);
  assert.deepEqual(points[1]!.intervals.netCorrections![0], 0);
  assert.ok(points[1]!.intervals.netCorrections![1] >= 6);
});

test('selective revision leaves an answer alone once the policy was sure of it', async () => {
  const own = new CountingModel(0, 10);
  // Confidence -1, -1/2, -1/3, ...: with a threshold of -0.4 the second revision is the last.
  const { points } = await run(
    environment(1, (_, k) => k / 10),
    { k: [0, 1, 2, 8], reviseBelow: -0.4 },
    own,
  );
  assert.equal(own.calls.length, 3);
  assert.deepEqual(
    points.map(({ quality, revisions }) => [quality, revisions]),
    [
      [0, 0],
      [0.1, 1],
      [0.2, 2],
      [0.2, 2],
    ],
  );
});

test('no two calls share random numbers, whatever the turn and the step', async () => {
  for (const turns of [1, 3]) {
    const own = new CountingModel(0, 10);
    await run(
      environment(turns, (i, _, turn) => (i === turn ? null : 0)),
      { k: [3] },
      own,
    );
    const pass = own.calls.slice(turns === 1 ? 0 : turns); // the pass for k = 0 comes first
    for (const [i, { rows, firstSequence }] of pass.entries()) {
      assert.ok(pass[i + 1] === undefined || firstSequence + rows <= pass[i + 1]!.firstSequence);
    }
  }
});

test('tables show every k, the intervals and what could not be judged', async () => {
  const curve = await run(
    environment(1, (i, k) => (i === 3 ? null : k > 0 ? 1 : 0)),
    { k: [0, 1], samples: 2 },
  );
  const text = formatCurve(curve);
  assert.match(text, /1 +1\.000 \[1\.000, 1\.000\] +1\.000 \[1\.000, 1\.000\]/);
  assert.match(text, /4 held-out instances x 2 samples; .*4 episodes could not be judged/);
  assert.match(formatCurves({ scripted: curve }), /^quality at k = {5,}0 {6}1\nscripted +0\.000 {2}1\.000\n/);
});

test('instances of several data sets are shown by set, and with the mean of the sets', async () => {
  const own = environment(1, (i, k) => (i === 0 ? 1 : k / 4));
  const whole = await run(own, { samples: 2 });
  assert.equal(whole.parts, undefined);
  const curve = await run({ ...own, part: (i) => (i === 0 ? 'alone' : 'many') }, { samples: 2 });
  assert.deepEqual(curve.points, whole.points);
  const { alone, many } = curve.parts!;
  assert.deepEqual([alone!.instances, many!.instances], [1, 3]);
  assert.deepEqual(
    many!.points.map(({ k, quality, delta }) => [k, quality, delta]),
    [
      [0, 0, 0],
      [1, 0.25, 0.25],
      [3, 0.75, 0.75],
    ],
  );
  assert.match(
    formatCurve(curve),
    /\nquality at k = {5,}0 {6}1 {6}3\nalone \(1\) +1\.000 +1\.000 +1\.000\nmany \(3\) +0\.000 +0\.250 +0\.750\nmean of these +0\.500 +0\.625 +0\.875$/,
  );
});
