import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EnvironmentSummary } from '../../lib/study/aggregate.ts';
import { drawEnvironment } from '../../lib/study/figure.ts';
import { estimate } from '../../lib/study/interval.ts';
import { linearScale, stepsScale } from '../../lib/study/scale.ts';

test('a linear axis has round ticks within its range, also for flat, tiny, huge and no values', () => {
  assert.deepEqual(
    linearScale([0, 1]).ticks.map(({ text }) => text),
    ['0.0', '0.2', '0.4', '0.6', '0.8', '1.0'],
  );
  assert.deepEqual(
    linearScale([0, 245_760]).ticks.map(({ text }) => text),
    ['0', '50k', '100k', '150k', '200k'],
  );
  for (const values of [[], [0.5], [3, 3], [1e-7, 3e-7], [-5e7, 1e8], [0.61, 0.83]]) {
    const { ticks, place } = linearScale(values);
    assert.ok(ticks.length >= 2 && ticks.length <= 12, `${values}: ${ticks.length} ticks`);
    for (const { at, text } of ticks) assert.ok(place(at) >= -1e-6 && place(at) <= 1 + 1e-6 && !text.includes('NaN'));
    assert.equal(new Set(ticks.map(({ text }) => text)).size, ticks.length, `${ticks.map(({ text }) => text)}`);
  }
});

test('the axis of step numbers places k = 0 first and keeps doublings about equally far apart', () => {
  const { place } = stepsScale([0, 1, 2, 4, 8, 16, 32]);
  assert.deepEqual([place(0), place(32)], [0, 1]);
  assert.ok(Math.abs(place(32) - place(16) - (place(16) - place(8))) < 0.02);
});

const summary = (seeds: number, long: boolean): EnvironmentSummary => {
  const over = (value: number): ReturnType<typeof estimate> =>
    estimate(Array.from({ length: seeds }, (_, seed) => value + seed / 10));
  const names = ['warm-up', 'grpo', 'curriculum', 'improve', 'diverge', 'exit', 'another', 'and "one" <more>'];
  const stage = (index: number): EnvironmentSummary['stages'][string] => ({
    points: [0, 1, 16].map((k) => ({ k, quality: over(index / 10 + k / 100) }) as never),
    trainedTokens: null,
    sampledTokens: null,
    training: long ? { 'quality@4': [0, 1].map((step) => ({ step, tokens: 1e6 * step, value: over(index) })) } : {},
  });
  const stages = Object.fromEntries(names.map((name, i) => [name, stage(i)]));
  return {
    environment: 'a & b',
    seeds: Array.from({ length: seeds }, (_, i) => i + 1),
    instances: 1,
    levels: {},
    stages,
  };
};

for (const [seeds, long] of [
  [1, false],
  [1, true],
  [5, true],
] as const) {
  test(`the figure of ${seeds} seeds is well-formed and holds every line${long ? ' in two panels' : ''}`, () => {
    const svg = drawEnvironment(summary(seeds, long));
    assertWellFormed(svg);
    assert.ok(!/NaN|Infinity|undefined/.test(svg));
    assert.ok(svg.includes('a &amp; b: mean and 95 % interval') && svg.includes('and &quot;one&quot; &lt;more&gt;'));
    const drawn = svg.match(/<path class="line [^>]*L/g) ?? [];
    assert.equal(drawn.length, 8 * (long ? 2 : 1));
    assert.equal((svg.match(/class="band/g) ?? []).length, seeds > 1 ? 16 : 0);
    assert.match(svg, /prefers-color-scheme:dark/);
  });
}

/** Every tag is closed in order, every attribute is quoted, no stray markup. */
function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml.replace(/<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*) ?(\/?)>/g, (_, closing, name, __, empty) => {
    if (closing) assert.equal(open.pop(), name);
    else if (!empty) open.push(name);
    return '';
  });
  assert.deepEqual(open, []);
  assert.ok(!/[<>]/.test(rest), rest.match(/.{20}[<>].{20}/)?.[0]);
  assert.ok(!/&(?!amp;|lt;|gt;|quot;)/.test(xml));
}
