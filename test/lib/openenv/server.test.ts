// The server of the OpenEnv protocol, as its own client and other programs talk to it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createEnvironment } from '../../../lib/environments/create.ts';
import { ENVIRONMENTS } from '../../../lib/environments/registry.ts';
import type { Environment } from '../../../lib/environments/environment.ts';
import type { Attempt } from '../../../lib/types.ts';
import { changed } from '../../support/environments.ts';
import { type Reply, Talk, withServer } from '../../support/openenv.ts';

const SORT = '{ name: sort, length: 5, symbols: 8 }';
const CLERK = '{ name: clerk, registers: 3, turns: 3 }';

test('an episode: reset gives the task, a step its quality, state counts; the same seed is the same task', () =>
  withServer(SORT, async ({ url }) => {
    const talk = await Talk.open(url);
    const first = await talk.reset({ seed: 7, episode_id: 'mine' });
    assert.equal(first.type, 'observation');
    const { observation, reward, done } = first.data;
    assert.deepEqual([reward, done, observation.feedback], [null, false, '']);
    assert.deepEqual(observation.messages, [{ role: 'user', content: observation.text }]);
    assert.deepEqual((await talk.ask({ type: 'state' })).data, {
      ...{ episode_id: 'mine', step_count: 0, environment: 'sort', seed: 7 },
    });
    const symbols = (observation.text as string).match(/\d+/g)!.map(Number);
    const right = [...symbols].sort((a, b) => a - b).join(' ');
    const stepped = (await talk.step(right)).data;
    assert.deepEqual([stepped.reward, stepped.done], [1, true]);
    assert.deepEqual(
      [stepped.metadata.quality, stepped.metadata.valid, stepped.metadata.truncated, stepped.metadata.episode_quality],
      [1, true, false, 1],
    );
    assert.equal((await talk.ask({ type: 'state' })).data.step_count, 1);
    assert.match((await talk.step(right)).data.message, /the episode is over: reset first/);

    assert.deepEqual((await talk.reset({ seed: 7 })).data, first.data);
    assert.notDeepEqual((await talk.reset({ seed: 8 })).data, first.data);
    assert.notDeepEqual((await talk.reset({ seed: 7, split: 'held_out' })).data, first.data);
    const wrong = (await talk.step('no symbols at all')).data;
    assert.deepEqual([wrong.reward, wrong.metadata.valid], [0, false]);
    const [drawn, again] = [await talk.reset(), await talk.reset()];
    assert.notEqual(drawn.data.metadata.seed, again.data.metadata.seed);
    await talk.close();
  }));

test('several turns: each step says the feedback and the next request; sessions do not meet', () =>
  withServer(CLERK, async ({ url }) => {
    const environment = createEnvironment(ENVIRONMENTS.clerk.settings.parse({ name: 'clerk', registers: 3, turns: 3 }));
    const instance = environment.task(3, 'train');
    const [talk, other] = [await Talk.open(url), await Talk.open(url)];
    await talk.reset({ seed: 3 });
    await other.reset({ seed: 4 });
    const history: Attempt[] = [];
    for (let turn = 0; turn < 3; turn++) {
      const tokens = environment.reference(instance, history);
      const { observation, reward, done, metadata } = (await talk.step(environment.show(tokens))).data;
      await other.step('keep keep keep');
      assert.deepEqual([reward, done, metadata.turn], [1, turn === 2, turn + 1]);
      assert.notEqual(observation.feedback, '');
      history.push({ tokens, feedback: new Int32Array(0), quality: 1 });
      const next = turn === 2 ? '' : environment.show(environment.prompt(instance, 'base', null, history));
      assert.equal(observation.text, [observation.feedback, next].filter((part) => part !== '').join('\n\n'));
    }
    await Promise.all([talk.close(), other.close()]);
  }));

test('an environment in words shows its conversation', () =>
  withServer('{ name: garble, length: 4 }', async ({ url }) => {
    const talk = await Talk.open(url);
    const { observation } = (await talk.reset({ seed: 1 })).data;
    assert.match(observation.text, /^read [a-z]{4}$/);
    const { data } = await talk.step('zzzz');
    assert.equal(data.metadata.valid, false);
    assert.match(data.observation.feedback, /^\?{4}$/);
    await talk.close();
  }));

test('what is no request is answered with an error, and the session goes on', () =>
  withServer(SORT, async ({ url }) => {
    const talk = await Talk.open(url);
    const cases: [unknown, string, RegExp][] = [
      ['{"type": "reset"', 'INVALID_JSON', /^Invalid JSON: /],
      ['[1]', 'VALIDATION_ERROR', /must be a JSON object/],
      [{ type: 'jump' }, 'UNKNOWN_TYPE', /Unknown message type: jump/],
      [{}, 'UNKNOWN_TYPE', /Unknown message type/],
      [{ type: 'step', data: { text: '1' } }, 'EXECUTION_ERROR', /reset first/],
      [{ type: 'step' }, 'VALIDATION_ERROR', /Invalid message/],
      [{ type: 'step', data: { txt: '1' } }, 'VALIDATION_ERROR', /Invalid message/],
      [{ type: 'step', data: { text: 5 } }, 'VALIDATION_ERROR', /Invalid message/],
      [{ type: 'reset', data: { seed: -1 } }, 'VALIDATION_ERROR', /Invalid message/],
      [{ type: 'reset', data: { seed: 'x' } }, 'VALIDATION_ERROR', /Invalid message/],
      [{ type: 'state', more: 1 }, 'VALIDATION_ERROR', /Invalid message/],
    ];
    for (const [message, code, text] of cases) {
      const { type, data } = await talk.ask(message);
      assert.deepEqual([type, data.code], ['error', code], JSON.stringify(message));
      assert.match(data.message, text);
    }
    talk.socket.send(Buffer.from([1, 2]), { binary: true });
    assert.equal((await talk.hear()).data.code, 'INVALID_JSON');
    const named = (await talk.ask({ type: 'step', data: { text: 5 } })).data.errors;
    assert.deepEqual(named[0].loc, ['text']);
    assert.equal((await talk.reset({ seed: 1 })).type, 'observation');
    talk.socket.send('{"type": "close"}');
    assert.equal(await talk.closed, 1000);
  }));

test('requests are answered in the order in which they came', () =>
  withServer(CLERK, async ({ url }) => {
    const talk = await Talk.open(url);
    for (const message of [
      { type: 'reset', data: { seed: 2 } },
      { type: 'step', data: { text: '' } },
      { type: 'state' },
    ]) {
      talk.socket.send(JSON.stringify(message));
    }
    const heard = [await talk.hear(), await talk.hear(), await talk.hear()];
    assert.deepEqual(
      heard.map(({ type }) => type),
      ['observation', 'observation', 'state'],
    );
    assert.equal(heard[2]!.data.step_count, 1);
    await talk.close();
  }));

/** Verdicts take a while, or are not to be had. */
const slow = (environment: Environment): Environment =>
  changed(environment, {
    judge: async (instance, answer, history) => {
      await sleep(150);
      if (answer.length === 0) throw new Error('the judge is ill');
      return environment.judge(instance, answer, history);
    },
  });

test('a session is not idle while a verdict is waited for; an answer without one does not count', () =>
  withServer(
    CLERK,
    async ({ url }) => {
      const talk = await Talk.open(url);
      const messages = [{ type: 'reset' }, ...['', 'keep', 'keep'].map((text) => ({ type: 'step', data: { text } }))];
      for (const message of messages) talk.socket.send(JSON.stringify(message));
      await talk.hear();
      const { data } = await talk.hear();
      assert.deepEqual(
        [data.code, data.message],
        ['EXECUTION_ERROR', 'the answer could not be judged: the judge is ill'],
      );
      assert.deepEqual([(await talk.hear()).data.metadata.turn, (await talk.hear()).data.metadata.turn], [1, 2]);
      assert.equal((await talk.hear()).data.code, 'SESSION_ERROR');
    },
    { change: slow, idleSeconds: 0.1 },
  ));

test('a session too many is told so and closed; one that ends makes room', () =>
  withServer(
    SORT,
    async ({ url }) => {
      const first = await Talk.open(url);
      const second = new Talk(url);
      const { type, data } = await second.hear();
      assert.deepEqual([type, data.code], ['error', 'CAPACITY_REACHED']);
      assert.deepEqual([data.active_sessions, data.max_sessions], [1, 1]);
      assert.equal(await second.closed, 1013);
      await first.close();
      const third = await Talk.open(url);
      assert.equal((await third.reset({ seed: 1 })).type, 'observation');
      await third.close();
    },
    { sessions: 1 },
  ));

test('sessions without requests end, messages that are too long end theirs, pages of other sites get none', () =>
  withServer(
    SORT,
    async ({ url }) => {
      const idle = await Talk.open(url);
      assert.equal((await idle.hear()).data.code, 'SESSION_ERROR');
      assert.equal(await idle.closed, 1000);
      const long = await Talk.open(url);
      long.socket.send(JSON.stringify({ type: 'step', data: { text: 'x'.repeat(5000) } }));
      assert.equal(await long.closed, 1009);
      const foreign = new WebSocket(`${url.replace('http', 'ws')}/ws`, { origin: 'http://elsewhere.example' });
      const [error] = (await once(foreign, 'error')) as [Error];
      assert.match(error.message, /401|403/);
      assert.equal((await fetch(`${url}/health`)).status, 200);
      assert.equal((await fetch(`${url}/reset`, { method: 'POST', body: 'x'.repeat(5000) })).status, 422);
    },
    { idleSeconds: 0.1, maxBytes: 2000 },
  ));

test('closing tells every session', () => {
  let talk: Talk;
  return withServer(SORT, async ({ url }) => {
    talk = await Talk.open(url);
  }).then(async () => assert.equal(await talk.closed, 1001));
});

test('the same over HTTP: one episode for all, errors with a status', () =>
  withServer(CLERK, async ({ url }) => {
    const post = async (path: string, body?: unknown): Promise<[number, Reply['data']]> => {
      const init = body === undefined ? {} : { body: JSON.stringify(body) };
      const response = await fetch(url + path, { method: 'POST', ...init });
      return [response.status, await response.json()];
    };
    const get = async (path: string): Promise<Reply['data']> => (await fetch(url + path)).json();
    assert.deepEqual(await get('/health'), { status: 'healthy' });
    assert.equal((await get('/metadata')).name, 'clerk');
    const schema = await get('/schema');
    assert.equal(schema.action.properties.text.type, 'string');
    assert.ok('text' in schema.observation.properties && 'step_count' in schema.state.properties);
    assert.equal((await post('/step', { action: { text: '' } }))[0], 500);
    const [status, first] = await post('/reset', { seed: 5 });
    assert.equal(status, 200);
    assert.equal(first['done'], false);
    const [, stepped] = await post('/step', { action: { text: 'keep keep keep' }, timeout_s: 3 });
    assert.ok(stepped['reward'] >= 0 && stepped['metadata'].valid);
    assert.equal((await get('/state')).step_count, 1);
    assert.equal((await post('/step', { text: 'keep' }))[0], 422);
    assert.equal((await post('/step', { action: { words: 'keep' } }))[0], 422);
    assert.equal((await post('/reset'))[0], 200);
    assert.equal((await fetch(`${url}/nothing`)).status, 404);
  }));
