// The environment openenv against our own server and against ones that misbehave.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../../lib/config/load.ts';
import { createEnvironment } from '../../../lib/environments/create.ts';
import type { Environment } from '../../../lib/environments/environment.ts';
import { isOver } from '../../../lib/environments/episode.ts';
import { ENVIRONMENTS } from '../../../lib/environments/registry.ts';
import { UsageError, UserError } from '../../../lib/errors.ts';
import { judge, type Judged } from '../../../lib/rollout/judge.ts';
import { runExperiment } from '../../../lib/runs/experiment.ts';
import { createRun } from '../../../lib/runs/run-folder.ts';
import { byteChat, chatCodec } from '../../../lib/text/codec.ts';
import type { Attempt } from '../../../lib/types.ts';
import { addon } from '../../support/addon.ts';
import { inTemporaryFolder } from '../../support/cli.ts';
import { Talk, withServer, withStranger } from '../../support/openenv.ts';

const BYTES = chatCodec(byteChat());
const CLERK = '{ name: clerk, registers: 3, turns: 3 }';

function connect(url: string, more: Record<string, unknown> = {}): Environment {
  return createEnvironment(ENVIRONMENTS.openenv.settings.parse({ name: 'openenv', url, seconds: 5, ...more }), BYTES);
}

/** The instance of a number, ready to be asked about. */
async function ready(environment: Environment, number = 0): Promise<unknown> {
  const instance = environment.task(number, 'train');
  await environment.prepare!([instance]);
  return instance;
}

const say = (environment: Environment, instance: unknown, text: string, history: Attempt[] = []): Promise<Judged> =>
  judge(environment, instance, BYTES.answer(text), history);

const reasonOf = async (judged: Promise<Judged>): Promise<string> => {
  const { status, reason } = await judged;
  assert.equal(status, 'infrastructure_error');
  return reason!;
};

/** Plays the references of the environment that is served, through the client. */
async function playReferences(environment: Environment, served: Environment, number: number): Promise<Attempt[]> {
  const [instance, original] = [await ready(environment, number), served.task(number, 'train')];
  const history: Attempt[] = [];
  const there: Attempt[] = [];
  while (!isOver(environment, instance, history)) {
    const tokens = served.reference(original, there);
    const { attempt } = await say(environment, instance, served.show(tokens), history);
    history.push(attempt!);
    there.push({ tokens, feedback: new Int32Array(0), quality: 1 });
  }
  return history;
}

const clerk = createEnvironment(ENVIRONMENTS.clerk.settings.parse({ name: 'clerk', registers: 3, turns: 3 }));

test('an episode on our own server: requests, feedback, qualities, its end', () =>
  withServer(CLERK, async ({ url }) => {
    const environment = connect(url, { observationField: 'text', instruction: 'Keep the ledger.' });
    const history = await playReferences(environment, clerk, 5);
    assert.deepEqual(
      history.map(({ quality }) => quality),
      [1, 1, 1],
    );
    const instance = environment.task(5, 'train');
    const shown = environment.show(environment.prompt(instance, 'base', null, history.slice(0, 1)));
    const first = clerk.show(clerk.prompt(clerk.task(5, 'train'), 'base', null, []));
    for (const part of ['Keep the ledger.', first, environment.show(history[0]!.feedback)])
      assert.ok(shown.includes(part));
    assert.match(environment.show(history[2]!.feedback), /^\[the episode is over\]\n/);
    assert.equal(isOver(environment, instance, history.slice(0, 2)), false);
    const wrong = await say(environment, instance, 'nonsense', history.slice(0, 1));
    assert.deepEqual([wrong.status, wrong.attempt!.quality], ['invalid', 0]);
    // Another process goes on with what was stored.
    const later = connect(url, { observationField: 'text' });
    assert.deepEqual(await say(later, await ready(later, 5), 'nonsense', history.slice(0, 1)), wrong);
  }));

test('a policy is trained on a server by the usual way, in episodes of several turns', () =>
  inTemporaryFolder((folder) =>
    withServer(
      CLERK,
      async ({ url }) => {
        const text = `
          environment:
            { name: openenv, url: "${url}", observationField: feedback, turns: 3, promptTokens: 700, answerTokens: 8, feedbackTokens: 80,
              tasks: { train: 20, test: 6 }, episode: mean }
          model: { decoder: { width: 16, layers: 1, heads: 2, feedForward: 16 } }
          strategies: [improve]
          rollout: { groups: 3, groupSize: 4 }
          curriculum: { capacity: 30, minimum: 2 }
          evaluation: { every: 0, final: [0, 1], finalInstances: 4 }
          train: { steps: 3 }`;
        const steps: (number | null | undefined)[] = [];
        const observer = {
          ...{ phase: () => {}, warn: (message: string) => assert.fail(message) },
          step: (_: string, stats: Record<string, number | null>) => void steps.push(stats['unjudged']),
        };
        const run = createRun(join(folder, 'run'), parseConfig({ name: 'test', text }), {});
        const results = await runExperiment(addon, run, observer, { requested: false });
        assert.deepEqual(steps.slice(1), [0, 0, 0]);
        const { points, instances } = results['improve']!;
        assert.deepEqual([instances, points.map(({ unjudged }) => unjudged)], [4, [0, 0]]);
      },
      { sessions: 3 },
    ),
  ));

type Behaviour = Parameters<typeof withStranger>[0];

const observation = (text: string, reward: number | null = null, done = false): string =>
  JSON.stringify({ type: 'observation', data: { observation: { text }, reward, done } });

test('a server that does not repeat itself is found out, and nothing is scored', async () => {
  let clock = 0;
  const differs: Behaviour = (socket, { type }) =>
    socket.send(type === 'reset' ? observation('begin') : observation(`it is ${clock++}`, 0.5));
  await withStranger(differs, async (url) => {
    const environment = connect(url);
    const instance = await ready(environment);
    const first = (await say(environment, instance, 'a')).attempt!;
    assert.equal(first.quality, 0.5);
    const reason = await reasonOf(say(environment, instance, 'b', [first]));
    assert.match(reason, /another result in step 1 than when they were first taken; episodes can only be gone on with/);
  });
  const differsAtOnce: Behaviour = (socket) => socket.send(observation(`it is ${clock++}`));
  await withStranger(differsAtOnce, async (url) => {
    const environment = connect(url);
    const instance = await ready(environment);
    assert.match(
      await reasonOf(say(environment, instance, 'a')),
      /reset with \{"seed":0\} showed another task than before/,
    );
  });
});

test('actions from JSON in the answer; what is no action is invalid and not sent', async () => {
  const moves: unknown[] = [];
  const chess: Behaviour = (socket, { type, data }) => {
    if (type === 'reset') return socket.send(observation('your move'));
    moves.push(data);
    if (data!['move'] === 'illegal') {
      const error = {
        message: 'Invalid message',
        code: 'VALIDATION_ERROR',
        errors: [{ loc: ['move'], msg: 'not on the board' }],
      };
      return socket.send(JSON.stringify({ type: 'error', data: error }));
    }
    return socket.send(
      observation(`after ${String(data!['move'])}`, data!['move'] === 'mate' ? 3 : -1, data!['move'] === 'mate'),
    );
  };
  await withStranger(chess, async (url) => {
    const more = {
      actionField: null,
      actionWith: { side: 'white' },
      observationField: 'text',
      rewards: { low: -1, high: 3 },
    };
    const environment = connect(url, more);
    const instance = await ready(environment);
    const none = await say(environment, instance, 'I resign');
    const broken = await say(environment, instance, 'I play {"move": }');
    assert.deepEqual([none.status, broken.status, moves.length], ['invalid', 'invalid', 0]);
    assert.match(environment.show(none.attempt!.feedback), /must hold a JSON object/);
    const illegal = await say(environment, instance, '{"move": "illegal"}', [none.attempt!]);
    assert.equal(illegal.status, 'invalid');
    assert.match(
      environment.show(illegal.attempt!.feedback),
      /VALIDATION_ERROR: Invalid message; move: not on the board/,
    );
    const quiet = await say(environment, instance, 'so {"move": "e4"}!', [none.attempt!, illegal.attempt!]);
    assert.deepEqual([quiet.status, quiet.attempt!.quality], ['valid', 0]);
    const mate = await say(environment, instance, '{"move": "mate", "side": "black"}', [
      none.attempt!,
      illegal.attempt!,
      quiet.attempt!,
    ]);
    assert.equal(mate.attempt!.quality, 1);
    assert.deepEqual(moves.at(-1), { side: 'white', move: 'mate' });
    assert.ok(isOver(environment, instance, [mate.attempt!]));
    await assert.rejects(ready(connect(url, { ...more, observationField: 'board' })), /no such member; they have text/);
  });
});

test('rewards out of range and actions that no server takes are mistakes of the configuration and end the run', async () => {
  const generous: Behaviour = (socket, { type }) => socket.send(observation('go', type === 'step' ? 7 : null));
  await withStranger(generous, async (url) => {
    const environment = connect(url);
    const instance = await ready(environment);
    await assert.rejects(say(environment, instance, 'a'), (error: Error) => {
      assert.ok(error instanceof UsageError);
      return /the reward 7, outside \[0, 1\]; set low and high/.test(error.message);
    });
  });
  const strict: Behaviour = (socket, { type }) =>
    socket.send(
      type === 'reset'
        ? observation('go')
        : '{"type":"error","data":{"message":"Invalid message","code":"VALIDATION_ERROR"}}',
    );
  await withStranger(strict, async (url) => {
    const environment = connect(url, { actionField: 'words' });
    const instance = await ready(environment);
    await assert.rejects(say(environment, instance, 'a'), /takes no actions like \{"words":"the answer"\}/);
  });
  await withServer(CLERK, async ({ url }) => {
    await assert.rejects(
      ready(connect(url, { actionField: 'txt' })),
      /have no member "txt"; they have text, metadata \(required: text\)/,
    );
    await assert.rejects(
      ready(connect(url, { resetWith: { split: 'x' } })),
      /VALIDATION_ERROR.*split.*see whether the server takes/,
    );
  });
});

test('fewer sessions than wanted are shared; one that others have is waited for', () =>
  withServer(
    CLERK,
    async ({ url }) => {
      const environment = connect(url, { observationField: 'text' });
      const instance = await ready(environment);
      const many = await Promise.all(Array.from({ length: 12 }, () => say(environment, instance, 'keep keep keep')));
      assert.ok(many.every(({ attempt }) => attempt?.quality === many[0]!.attempt!.quality));
    },
    { sessions: 1 },
  ).then(() =>
    withServer(
      CLERK,
      async ({ url }) => {
        const other = await Talk.open(url);
        await assert.rejects(ready(connect(url, { seconds: 0.2 })), (error: UserError) => {
          assert.match(error.message, /all 1 sessions are taken; give the server more sessions/);
          return error.resumable;
        });
        const waits = ready(connect(url));
        setTimeout(() => other.socket.close(), 150);
        await waits;
      },
      { sessions: 1 },
    ),
  ));

test('servers that hang, hang up, talk nonsense or are not there', async () => {
  const hangs: Behaviour = (socket, { type }) => {
    if (type === 'reset') socket.send(observation('go'));
  };
  await withStranger(hangs, async (url) => {
    const environment = connect(url, { seconds: 0.2 });
    const instance = await ready(environment);
    assert.match(await reasonOf(say(environment, instance, 'a')), /no reply to step within 0\.2 s/);
  });
  await withStranger(
    () => {},
    (url) =>
      assert.rejects(
        ready(connect(url, { seconds: 0.2 })),
        /no reply to reset within 0\.2 s; see whether the server hangs/,
      ),
  );

  let closings = 0;
  const hangsUp: Behaviour = (socket, { type }) => {
    if (type === 'reset') socket.send(observation('go'));
    else if (closings-- > 0) socket.close(1011);
    else socket.send(observation('gone', 1, true));
  };
  await withStranger(hangsUp, async (url, connections) => {
    const environment = connect(url);
    const instance = await ready(environment);
    closings = 2;
    assert.equal((await say(environment, instance, 'a')).attempt!.quality, 1);
    assert.equal(connections(), 3);
    closings = 100;
    assert.match(await reasonOf(say(environment, instance, 'a')), /the server closed the connection \(1011\)/);
  });

  await withStranger(
    (socket) => socket.send('hello'),
    (url) =>
      assert.rejects(ready(connect(url)), /a reply that is none of OpenEnv: hello; set environment\.url to a server/),
  );
  await withStranger(
    (socket) => socket.send('{"type":"observation","data":{"observation":5}}'),
    (url) => assert.rejects(ready(connect(url)), /a reply that is none of OpenEnv/),
  );
  await withStranger(
    (socket) => socket.send(observation('nothing to do', 0, true)),
    (url) => assert.rejects(ready(connect(url)), /seed 0 is over before its first step/),
  );
  const unrewarded: Behaviour = (socket, { type }) => socket.send(observation('go', null, type === 'step'));
  await withStranger(unrewarded, async (url) => {
    const environment = connect(url);
    assert.match(await reasonOf(say(environment, await ready(environment), 'a')), /ended without a reward/);
  });

  const page = createServer((_, response) => response.writeHead(404).end());
  await new Promise<void>((resolve) => page.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  await assert.rejects(ready(connect(url)), /no connection: Unexpected server response: 404; start the server, or set/);
  page.closeAllConnections();
  await new Promise((resolve) => page.close(resolve));
  await assert.rejects(ready(connect(url)), (error: UserError) => {
    assert.match(error.message, /environment\.url http:.*no connection: .*ECONNREFUSED/);
    return error instanceof UserError && error.resumable;
  });
});
