// The environment mcp with a tool server that the official SDK makes.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import { parseConfig } from '../../lib/config/load.ts';
import { createEnvironment } from '../../lib/environments/create.ts';
import type { Environment } from '../../lib/environments/environment.ts';
import { isOver } from '../../lib/environments/episode.ts';
import { ENVIRONMENTS } from '../../lib/environments/registry.ts';
import { UserError } from '../../lib/errors.ts';
import { loadSdk } from '../../lib/mcp/sdk.ts';
import { judge, type Judged } from '../../lib/rollout/judge.ts';
import { runExperiment } from '../../lib/runs/experiment.ts';
import { createRun } from '../../lib/runs/run-folder.ts';
import { byteChat, chatCodec } from '../../lib/text/codec.ts';
import type { Attempt } from '../../lib/types.ts';
import { addon } from '../support/addon.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const BYTES = chatCodec(byteChat());
const LEDGER = join(packageRoot(), 'test', 'fixtures', 'mcp', 'ledger.mjs');

const TASKS = [
  {
    ...{ id: 'both', request: 'Write 3 for tea and 4 for jam.' },
    check: {
      calls: [
        { name: 'write', arguments: { name: 'tea', amount: 3 } },
        { name: 'write', arguments: { amount: 4, name: 'jam' } },
      ],
    },
  },
  { id: 'sum', request: 'What is the sum?', check: { answer: 'sum is 0\\b' } },
  {
    ...{ id: 'seven', request: 'Make it 7 in all.' },
    check: { result: { name: 'total', matches: '^7$' }, answer: 'done' },
  },
];
const HELD_OUT = [{ id: 'later', request: 'Write 1 for ink.', check: { calls: [{ name: 'write' }] } }];

const lines = (rows: readonly unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');

interface Setting {
  readonly environment: Environment;
  say(number: number, text: string, history?: Attempt[]): Promise<Judged>;
}

/** An environment over the ledger; `args` are its modes. */
async function withLedger(
  body: (setting: Setting, folder: string) => Promise<void>,
  more: Record<string, unknown> = {},
  args: (folder: string) => string[] = () => [],
): Promise<void> {
  await inTemporaryFolder(async (folder) => {
    const [tasks, held] = [join(folder, 'tasks.jsonl'), join(folder, 'test.jsonl')];
    writeFileSync(tasks, lines(TASKS));
    writeFileSync(held, lines(HELD_OUT));
    const server = { command: process.execPath, args: [LEDGER, ...args(folder)], tasks, test: held };
    const environment = createEnvironment(
      ENVIRONMENTS.mcp.settings.parse({ name: 'mcp', seconds: 10, ...server, ...more }),
      BYTES,
    );
    const say: Setting['say'] = async (number, text, history = []) => {
      const instance = environment.task(number, 'train');
      await environment.prepare!([instance]);
      return judge(environment, instance, BYTES.answer(text), history);
    };
    await body({ environment, say }, folder);
  });
}

const call = (name: string, given: Record<string, unknown>): string =>
  `<tool>${JSON.stringify({ name, arguments: given })}</tool>`;
const tea = call('write', { name: 'tea', amount: 3 });
const jam = call('write', { name: 'jam', amount: 4 });

test('an episode: calls are run, results come back, the check counts what was done', () =>
  withLedger(async ({ environment, say }) => {
    const show = ({ attempt }: Judged): string => environment.show(attempt!.feedback);
    const first = await say(0, tea);
    assert.deepEqual([first.status, first.attempt!.quality, show(first)], ['valid', 0.5, 'tea: 3']);
    const second = await say(0, jam, [first.attempt!]);
    assert.deepEqual([second.attempt!.quality, show(second)], [1, 'jam: 4']);
    // In the other order only one of them is in its place.
    assert.equal((await say(0, tea, [(await say(0, jam)).attempt!])).attempt!.quality, 0.5);
    const instance = environment.task(0, 'train');
    const shown = environment.show(environment.prompt(instance, 'base', null, [first.attempt!]));
    for (const part of ['"name":"write"', 'Write 3 for tea', tea, 'tea: 3']) assert.ok(shown.includes(part), part);
    assert.equal(isOver(environment, instance, [first.attempt!]), false);
    const end = await say(0, '<TASK_FINISHED>', [first.attempt!, second.attempt!]);
    assert.equal(end.attempt!.quality, 1);
    assert.ok(isOver(environment, instance, [first.attempt!, second.attempt!, end.attempt!]));

    const unknown = await say(0, call('burn', {}));
    assert.match(show(unknown), /^Error: .*burn/);
    assert.equal(unknown.status, 'valid');
    assert.match(show(await say(0, call('write', { name: 'tea' }))), /^Error: .*amount/s);
    assert.match(show(await say(0, call('fail', {}))), /out of ink/);
    const broken = await say(0, '<tool>{"name": 5}</tool>');
    assert.equal(broken.status, 'invalid');
    assert.match(show(broken), /^Error: /);
  }));

test('checks of the last answer and of what the server then says', () =>
  withLedger(async ({ say }) => {
    const quality = async (...of: Parameters<typeof say>): Promise<number> => (await say(...of)).attempt!.quality;
    assert.equal(await quality(1, 'The sum is 0. <TASK_FINISHED>'), 1);
    assert.equal(await quality(1, 'The sum is 01. <TASK_FINISHED>'), 0);
    assert.equal(await quality(1, `The sum is 0. ${call('total', {})}`), 0);
    const history = [(await say(2, tea)).attempt!, (await say(2, jam)).attempt!];
    const both = [(await say(2, tea)).attempt!];
    both.push((await say(2, jam, both)).attempt!);
    assert.equal(await quality(2, 'done <TASK_FINISHED>', both), 1);
    assert.equal(await quality(2, 'ready <TASK_FINISHED>', both), 0);
    assert.equal(await quality(2, 'done <TASK_FINISHED>', history.slice(0, 1)), 0);
  }));

test('calls as Python: arguments without names are those of the schema', () =>
  withLedger(
    async ({ environment, say }) => {
      const judged = await say(0, "[write('tea', 3), write(name='jam', amount=4.0)]");
      assert.deepEqual([judged.attempt!.quality, environment.show(judged.attempt!.feedback)], [1, 'tea: 3\njam: 4']);
      assert.equal((await say(0, "[write('tea', 3, 4)]")).status, 'invalid');
    },
    { format: 'python' },
  ));

test('one server for all: nothing is made again; it is started anew when it fails', () =>
  withLedger(
    async ({ environment, say }, folder) => {
      const first = await say(2, tea);
      assert.equal(environment.show(first.attempt!.feedback), 'written for the 1th time');
      assert.equal((await say(2, 'done <TASK_FINISHED>', [first.attempt!])).attempt!.quality, 0);
      assert.equal((await say(2, `done ${jam}`)).attempt!.quality, 0);
      assert.equal(readFileSync(join(folder, 'count'), 'utf8'), 'xx');
      assert.equal((await say(2, 'done <TASK_FINISHED>', [first.attempt!])).attempt!.quality, 1);
      const crashed = await say(2, call('crash', {}));
      assert.deepEqual([crashed.status, crashed.attempt], ['infrastructure_error', null]);
      assert.equal((await say(2, 'done <TASK_FINISHED>', [first.attempt!])).attempt!.quality, 0);
    },
    { fresh: false },
    (folder) => ['restless', join(folder, 'count')],
  ));

test('a server that does not repeat itself, that hangs or that does not start gives no verdict', async () => {
  const reason = async (judged: Promise<Judged>): Promise<string> => {
    const { status, reason: why } = await judged;
    assert.equal(status, 'infrastructure_error');
    return why!;
  };
  await withLedger(
    async ({ say }) => {
      const first = await say(0, tea);
      assert.match(await reason(say(0, jam, [first.attempt!])), /the calls of answer 1 gave other results than when/);
    },
    {},
    (folder) => ['restless', join(folder, 'count')],
  );
  await withLedger(
    async ({ environment, say }) => {
      await environment.prepare!([]);
      assert.match(await reason(say(0, tea)), /Request timed out/);
    },
    { seconds: 3, fresh: false },
    () => ['mute'],
  );
  const refused = async (more: Record<string, unknown>, expected: RegExp, args: string[] = []): Promise<void> => {
    const body = ({ environment }: Setting): Promise<void> =>
      assert.rejects(environment.prepare!([]), (error: UserError) => {
        assert.match(error.message, expected);
        return error instanceof UserError;
      });
    await withLedger(body, more, () => args);
  };
  await refused({}, /environment\.command .*node: no tool server there: .*it said: the ledger is locked; see that/s, [
    'broken',
  ]);
  await refused({ command: 'no-such-program' }, /no-such-program: no tool server there: spawn no-such-program ENOENT/);
  await refused({ command: null, args: [], url: 'http://127.0.0.1:9' }, /environment\.url http.*no tool server there/);
});

test('tasks are checked by file and line, tools by name; without the package it says what to install', async () => {
  await inTemporaryFolder(async (folder) => {
    const file = join(folder, 'tasks.jsonl');
    const open = (rows: readonly unknown[], more: Record<string, unknown> = {}): Environment => {
      writeFileSync(file, lines(rows));
      const given = { name: 'mcp', command: process.execPath, args: [LEDGER], tasks: file, ...more };
      return createEnvironment(ENVIRONMENTS.mcp.settings.parse(given), BYTES);
    };
    const row = { id: 'a', request: 'Do it.', check: { answer: 'x' } };
    assert.throws(
      () => open([row, { ...row, id: 'b', check: {} }]),
      /tasks\.jsonl:2: check: give calls, answer or result/,
    );
    assert.throws(
      () => open([{ ...row, check: { answer: '(' } }]),
      /tasks\.jsonl:1: check\.answer: no regular expression/,
    );
    assert.throws(() => open([row, row]), /tasks\.jsonl:2: the id a is in .*tasks\.jsonl:1, too/);
    assert.throws(() => open([row]), /no task is left for (training|evaluation); add tasks/);
    assert.throws(() => open([row], { tasks: join(folder, 'none') }), /there is no file/);
    assert.throws(() => open([row], { url: 'http://x' }), /give either command or url/);
    const rows = Array.from({ length: 40 }, (_, i) => ({ ...row, id: String(i), request: `Do ${i}.` }));
    const many = open(rows);
    const { train, held_out: held } = many.sizes!;
    assert.ok(train + held === 40 && held >= 3 && held <= 15);
    const wrong = open([...rows, { id: 'w', request: 'Burn.', check: { calls: [{ name: 'burn' }] } }]);
    await assert.rejects(
      wrong.prepare!([]),
      /the check of task w names the tool burn; the server has write, total, fail, crash/,
    );
  });
  const missing = (): Promise<unknown> =>
    Promise.reject(Object.assign(new Error('x'), { code: 'ERR_MODULE_NOT_FOUND' }));
  await assert.rejects(loadSdk(missing), /needs the package @modelcontextprotocol\/sdk.*npm install/);
});

test('a policy is trained with a tool server by the usual way', () =>
  withLedger(async (_, folder) => {
    const text = `
      environment:
        { name: mcp, command: ${process.execPath}, args: [${LEDGER}], tasks: ${folder}/tasks.jsonl, test: ${folder}/test.jsonl, fresh: false,
          turns: 2, promptTokens: 1600, answerTokens: 8, feedbackTokens: 100 }
      model: { decoder: { width: 16, layers: 1, heads: 2, feedForward: 16 } }
      strategies: [improve]
      rollout: { groups: 2, groupSize: 3 }
      curriculum: { capacity: 30, minimum: 2 }
      evaluation: { every: 0, final: [0], finalInstances: 4 }
      train: { steps: 2 }`;
    const observer = { phase: () => {}, warn: (message: string) => assert.fail(message), step: () => {} };
    const run = createRun(join(folder, 'run'), parseConfig({ name: 'test', text }), {});
    const results = await runExperiment(addon, run, observer, { requested: false });
    assert.deepEqual([results['improve']!.instances, results['improve']!.points[0]!.unjudged], [1, 0]);
  }));
