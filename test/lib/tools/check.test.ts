import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { UserError } from '../../../lib/errors.ts';
import { check } from '../../../lib/tools/bfcl/check.ts';
import { functionsOf, readFunctions } from '../../../lib/tools/bfcl/functions.ts';
import { readTaskFolder, type ToolTask } from '../../../lib/tools/bfcl/tasks.ts';
import { writeCall } from '../../../lib/tools/python/write-call.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'bfcl-'));
after(() => rmSync(folder, { recursive: true }));

const task = (id: string, more: object = {}): object => ({
  id,
  question: [
    [{ role: 'user', content: 'Post hello.' }],
    [{ role: 'user', content: 'Wait.' }],
    [{ role: 'user', content: 'Again.' }],
  ],
  initial_config: { TwitterAPI: { authenticated: true, tweet_counter: 5 } },
  involved_classes: ['TwitterAPI'],
  ...more,
});
const answer = (id: string, ground_truth: string[][]): object => ({ id, ground_truth });
const TRUTH = [
  ["post_tweet(content='hello')"],
  [],
  ["get_user_stats(username='john')", "post_tweet(content='again', tags=['#a'])"],
];

function write(tasks: readonly unknown[], answers: readonly unknown[]): void {
  const text = (rows: readonly unknown[]): string =>
    rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
  writeFileSync(path.join(folder, 'multi_turn_base.jsonl'), text(tasks));
  writeFileSync(path.join(folder, 'multi_turn_base_answers.jsonl'), text(answers));
}

function theTask(): ToolTask {
  write([task('t')], [answer('t', TRUTH)]);
  return readTaskFolder(folder)[0]!;
}

test('the ground truth passes', () => {
  const verdict = check(theTask(), TRUTH);
  const right = { official: true, quality: 1, finalStateAndCalls: true, progress: 1 };
  assert.deepEqual(verdict, { ...right, reasons: [null, null, null] });
});

test('progress: the shares of changed attributes that are right, and of the calls', () => {
  const progress = (...turns: string[][]): number => check(theTask(), turns).progress;
  assert.equal(progress(), 0);
  assert.ok(Math.abs(progress([], [], ["get_user_stats('john')"]) - (0 + 1 / 3) / 2) < 1e-12);
  // The counter and the posts are changed by the truth; here the list of followed users is, too.
  assert.equal(progress(TRUTH[0]!, [], [...TRUTH[2]!, "follow_user('x')"]), (2 / 3 + 1) / 2);
  assert.equal(progress(TRUTH[0]!, [], TRUTH[2]!), 1);
});

test('more calls and other ways to say the same pass', () => {
  const made = [
    ["post_tweet('hello', mentions=[], tags=[])", 'list_all_following()'],
    [],
    ["get_user_stats('john')", "post_tweet('again', ['#a'])"],
  ];
  const { official, finalStateAndCalls } = check(theTask(), made);
  assert.ok(official && finalStateAndCalls);
});

test('a result of an earlier turn counts, a state that is different does not', () => {
  const early = check(theTask(), [
    ["post_tweet('hello')", "get_user_stats('john')"],
    [],
    ["post_tweet('again', ['#a'])"],
  ]);
  assert.ok(early.official && early.finalStateAndCalls);
  const extra = check(theTask(), [["post_tweet('hello')", "follow_user('x')"], [], TRUTH[2]!]);
  assert.equal(extra.official, false);
  assert.equal(extra.finalStateAndCalls, false);
  assert.equal(extra.quality, 1 / 3);
  assert.equal(extra.reasons[0], 'the state is different: TwitterAPI.following_list');
});

test('turns without calls and missing results fail', () => {
  const nothing = check(theTask(), []);
  assert.deepEqual(nothing.reasons, ['no calls', null, 'no calls']);
  assert.equal(nothing.official, false);
  const missing = check(theTask(), [TRUTH[0]!, [], ["post_tweet('again', ['#a'])"]]);
  assert.match(missing.reasons[2]!, /^missing result: .*"tweet_count": 1/);
  assert.equal(missing.quality, 2 / 3);
  assert.equal(missing.finalStateAndCalls, false);
});

test('the official check and the one of the paper can differ', () => {
  const late = check(theTask(), [
    ["post_tweet('hello')", "follow_user('x')"],
    [],
    [...TRUTH[2]!, "unfollow_user('x')"],
  ]);
  assert.deepEqual([late.official, late.finalStateAndCalls], [false, true]);
  // The same result and state by another call.
  write([task('t', { question: [[]] })], [answer('t', [["get_user_stats('nobody')"]])]);
  const other = check(readTaskFolder(folder)[0]!, [["get_user_stats('somebody')"]]);
  assert.deepEqual([other.official, other.finalStateAndCalls], [true, false]);
});

test('only so many turns are judged as are wanted, and bad calls are no calls of the ground truth', () => {
  assert.equal(check(theTask(), [TRUTH[0]!], { turns: 1 }).official, true);
  const { finalStateAndCalls, quality } = check(theTask(), [['post_tweet(', 'nothing()']], { turns: 1 });
  assert.deepEqual([finalStateAndCalls, quality], [false, 0]);
});

test('tasks are read with their calls; mistakes are said by file and line', () => {
  assert.deepEqual(theTask().groundTruth[2]!.map(writeCall), TRUTH[2]);
  const failures: [tasks: unknown[], answers: unknown[], message: RegExp][] = [
    [[task('a'), task('a')], [answer('a', TRUTH)], /base\.jsonl:2: the id a is in .*base\.jsonl:1, too/],
    [[task('a'), '', task('b')], [answer('a', TRUTH)], /base\.jsonl:3: .*answers\.jsonl has no answer for b/],
    [[task('a')], [answer('a', [[]])], /base\.jsonl:1: a has 3 turns, but 1 in its answer/],
    [[task('a')], [answer('a', [['f(']])], /answers\.jsonl:1: f\( is not a call: '\(' was never closed/],
    [['{"id": 1'], [], /base\.jsonl:1 is not valid JSON/],
    [[task('a', { question: 'x' })], [], /base\.jsonl:1: question: /],
  ];
  for (const [tasks, answers, message] of failures) {
    write(tasks, answers);
    assert.throws(
      () => readTaskFolder(folder),
      (error) => error instanceof UserError && message.test(error.message),
      String(message),
    );
  }
  assert.throws(() => readTaskFolder(path.join(folder, 'nowhere')), /has no tasks/);
});

test('function documents are those of the classes, without what is excluded', () => {
  assert.throws(() => readFunctions(folder), /has no function documents/);
  const inner = path.join(folder, 'func_doc');
  mkdirSync(inner);
  const files = [
    'gorilla_file_system',
    'math_api',
    'message_api',
    'ticket_api',
    'trading_bot',
    'travel_booking',
    'posting_api',
  ];
  const line = (name: string): string =>
    JSON.stringify({ name, description: '', parameters: { type: 'dict', properties: {}, required: [] } });
  for (const name of [...files, 'vehicle_control']) {
    writeFileSync(path.join(inner, `${name}.json`), `${line(`${name}_1`)}\n${line(`${name}_2`)}\n`);
  }
  const documents = readFunctions(folder);
  write([task('t', { excluded_function: ['posting_api_2'] })], [answer('t', TRUTH)]);
  const [own] = readTaskFolder(folder);
  assert.deepEqual(
    functionsOf(documents, own!).map(({ name }) => name),
    ['posting_api_1'],
  );
});
