import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { historyOf } from '../../lib/curriculum/entry.ts';
import { type CurriculumSettings, drawTask, remember } from '../../lib/curriculum/curriculum.ts';
import { STRATEGIES } from '../../lib/curriculum/strategies.ts';
import { Random } from '../../lib/rng.ts';
import type { Attempt, Group, Task } from '../../lib/types.ts';

const SETTINGS: CurriculumSettings = {
  ...{
    minimum: 1,
    probability: 0.5,
    diverge: 0,
    children: 'all',
    rescore: true,
    maxDepth: null,
    maxAge: null,
    instances: null,
  },
};
const BASE: Task = { instance: 7, depth: 0, mode: 'base', previous: null, history: [], entry: null, born: null };
const attempt = (quality: number): Attempt => ({ tokens: Int32Array.of(1), feedback: Int32Array.of(), quality });
const group = (task: Task, qualities: readonly (number | null)[]): Group => ({
  task,
  attempts: qualities.map((quality) => (quality === null ? null : attempt(quality))),
  later: qualities.map(() => []),
  truncated: qualities.map(() => false),
  failures: [],
  invalid: 0,
  rewards: qualities,
  lengths: qualities.map(() => 1),
});
const random = (): Random => new Random(1, 'test');

test('a base group enters with its variance, its attempts inherit it', () => {
  const buffer = new TaskBuffer({ capacity: 10 });
  remember(STRATEGIES.improve, buffer, SETTINGS, group(BASE, [0, 1, 1, 0]), 4, random());
  assert.equal(buffer.size, 5);
  assert.ok(buffer.entries.every(({ score, born, instance }) => score === 0.25 && born === 4 && instance === 7));
  assert.deepEqual(
    buffer.entries.map(({ depth }) => depth),
    [0, 1, 1, 1, 1],
  );
  assert.deepEqual(
    buffer.entries.map(({ previous }) => previous?.quality ?? null),
    [null, 0, 1, 1, 0],
  );
});

test('plain GRPO has no buffer', () => {
  const buffer = new TaskBuffer({ capacity: 10 });
  remember(STRATEGIES.grpo, buffer, SETTINGS, group(BASE, [0, 1]), 0, random());
  assert.equal(buffer.size, 0);
});

test('a replayed start point is drawn as an improve step and re-scored in place', () => {
  const buffer = new TaskBuffer({ capacity: 10 });
  remember(STRATEGIES.improve, buffer, { ...SETTINGS, children: 'best' }, group(BASE, [0.5, 1]), 0, random());
  const child = buffer.entries[1]!;
  const task: Task = {
    instance: 7,
    depth: 1,
    mode: 'improve',
    previous: child.previous,
    history: [],
    entry: child.id,
    born: 0,
  };
  remember(STRATEGIES.improve, buffer, { ...SETTINGS, children: 'best' }, group(task, [1, 1]), 1, random());
  assert.deepEqual(
    buffer.entries.map(({ depth, score }) => [depth, score]),
    [
      [0, 0.0625],
      [1, 0],
      [2, 0],
    ],
  );
  assert.deepEqual([buffer.entries[1]!.born, buffer.entries[1]!.scored], [0, 1]);
  remember(STRATEGIES.improve, buffer, { ...SETTINGS, rescore: false, maxDepth: 1 }, group(task, [0, 1]), 2, random());
  assert.equal(buffer.size, 4, 'without re-scoring a copy enters; its children are too deep');
});

test('unjudged attempts neither count nor become start points', () => {
  const buffer = new TaskBuffer({ capacity: 10 });
  remember(STRATEGIES.improve, buffer, SETTINGS, group(BASE, [null, 0, 1]), 0, random());
  assert.deepEqual(
    buffer.entries.map(({ score }) => score),
    [0.25, 0.25, 0.25],
  );
  remember(STRATEGIES.improve, buffer, SETTINGS, group({ ...BASE, instance: 8 }, [null, 1]), 0, random());
  assert.equal(buffer.size, 3, 'one return has no variance');
});

test('replays come with probability p once the buffer holds enough', () => {
  const buffer = new TaskBuffer({ capacity: 10 });
  const draw = new Random(5, 'draw');
  const count = (settings: CurriculumSettings): number =>
    Array.from({ length: 2000 }, () => drawTask(STRATEGIES.improve, buffer, settings, draw)).filter(
      (t) => t.entry !== null,
    ).length;
  assert.equal(count({ ...SETTINGS, minimum: 0 }), 0, 'an empty buffer');
  remember(STRATEGIES.improve, buffer, SETTINGS, group(BASE, [0, 1]), 0, random());
  assert.equal(count({ ...SETTINGS, minimum: 4 }), 0);
  assert.ok(Math.abs(count({ ...SETTINGS, minimum: 3 }) - 1000) < 100);
  const instances = new Set(
    Array.from({ length: 200 }, () => drawTask(STRATEGIES.grpo, buffer, { ...SETTINGS, instances: 3 }, draw).instance),
  );
  assert.deepEqual([...instances].sort(), [0, 1, 2]);
});

test('every prefix of an episode becomes a start point', () => {
  const buffer = new TaskBuffer({ capacity: 20 });
  const history = [attempt(0.9)];
  const later = [
    [attempt(0.1), attempt(0.2)],
    [attempt(0.3), attempt(0.4)],
  ];
  const task: Task = { ...BASE, history };
  remember(STRATEGIES.improve, buffer, SETTINGS, { ...group(task, [0, 1]), later }, 0, random());
  assert.deepEqual(
    buffer.entries.map((entry) => [
      entry.depth,
      entry.previous?.quality ?? null,
      historyOf(entry).map((a) => a.quality),
    ]),
    [
      [0, null, [0.9]],
      [1, 0, [0.9]],
      [1, 0.1, [0.9, 0]],
      [1, 0.2, [0.9, 0, 0.1]],
      [1, 1, [0.9]],
      [1, 0.3, [0.9, 1]],
      [1, 0.4, [0.9, 1, 0.3]],
    ],
  );
  const copy = new TaskBuffer({ capacity: 20 });
  copy.restore(structuredClone(buffer.save()));
  assert.deepEqual(copy.entries, buffer.entries);
});

test('start points of an episode share one list of answers', () => {
  const buffer = new TaskBuffer({ capacity: 20 });
  const later = [[attempt(0.1), attempt(0.2)], []];
  remember(STRATEGIES.improve, buffer, SETTINGS, { ...group(BASE, [0, 1]), later }, 0, random());
  const [, ...children] = buffer.entries;
  assert.equal(new Set(children.map(({ episode }) => episode)).size, 2);
  const copy = new TaskBuffer({ capacity: 20 });
  copy.restore(structuredClone(buffer.save()));
  assert.equal(new Set(copy.entries.slice(1).map(({ episode }) => episode)).size, 2);
});

test('a drawn task says when its entry was made', () => {
  const buffer = new TaskBuffer({ capacity: 5 });
  remember(STRATEGIES.improve, buffer, SETTINGS, group(BASE, [0, 1]), 3, random());
  const task = drawTask(STRATEGIES.improve, buffer, { ...SETTINGS, probability: 1 }, random());
  assert.equal(task.born, 3);
  assert.equal(drawTask(STRATEGIES.grpo, buffer, SETTINGS, random()).born, null);
});
