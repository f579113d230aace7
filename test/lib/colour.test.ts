import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEnvironment } from '../../lib/environments/create.ts';
import { colour } from '../../lib/environments/colour.ts';

const COLOUR = 6;
const SET = 9;
const environment = createEnvironment(colour.settings.parse({ name: 'colour' }));
interface Graph {
  edges: [number, number][];
  planted: number[];
}
type Judged = { status: string; quality: number; feedback: Int32Array };
const judge = (instance: unknown, tokens: Int32Array): Judged => environment.judge(instance, tokens, []) as Judged;

test('every node sees the colours of its neighbours', () => {
  const instance = environment.task(1, 'train') as Graph;
  const tokens = environment.reference(instance, []);
  const { feedback } = judge(instance, tokens);
  for (const [node, token] of feedback.entries()) {
    const neighbours = instance.edges.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : []));
    const colours = new Set(neighbours.map((neighbour) => instance.planted[neighbour]!));
    assert.equal(
      token - SET,
      [...colours].reduce((set, c) => set + 2 ** c, 0),
    );
  }
});

test('quality is 1 without conflict, loses k/m for each and is 0 for one colour everywhere', () => {
  const instance = environment.task(2, 'train') as Graph;
  const reference = environment.reference(instance, []);
  assert.equal(judge(instance, reference).quality, 1);
  for (const node of reference.keys()) {
    for (let c = 0; c < 3; c++) {
      const answer = reference.with(node, COLOUR + c);
      const conflicts = instance.edges.filter(([a, b]) => answer[a] === answer[b]).length;
      assert.equal(judge(instance, answer).quality, Math.max(0, 1 - (conflicts * 3) / 14));
    }
  }
  assert.equal(judge(instance, new Int32Array(9).fill(COLOUR)).quality, 0);
});

test('a token that is no colour is invalid and seen by no neighbour', () => {
  const instance = environment.task(3, 'train') as Graph;
  const [node] = instance.edges[0]!;
  const { status, quality, feedback } = judge(instance, new Int32Array(9).fill(SET).with(node, COLOUR + 1));
  assert.deepEqual([status, quality], ['invalid', 0]);
  const neighbours = instance.edges.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : []));
  for (const [i, token] of feedback.entries()) assert.equal(token, SET + (neighbours.includes(i) ? 2 : 0));
});

test('more edges than the planted colouring allows are refused', () => {
  assert.equal(colour.settings.safeParse({ name: 'colour', nodes: 9, colours: 3, edges: 27 }).success, true);
  assert.equal(colour.settings.safeParse({ name: 'colour', nodes: 9, colours: 3, edges: 28 }).success, false);
});
