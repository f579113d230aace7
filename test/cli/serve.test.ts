// exit-rl serve: the address comes first, sockets are served, Ctrl-C ends it cleanly.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { exitRl, MAIN } from '../support/cli.ts';
import { Talk } from '../support/openenv.ts';

test('exit-rl serve: address, a session, Ctrl-C', async () => {
  const args = ['serve', '--environment', 'sort', '--set', 'length=5', '--port', '0'];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [address] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);
  const talk = await Talk.open(address);
  assert.equal((await talk.reset({ seed: 1 })).type, 'observation');
  const { code, stderr } = exitRl(['serve', '--environment', 'sort', '--port', new URL(address).port]);
  assert.equal(code, 1);
  assert.match(stderr, /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.*; choose another host or port/);
  // Another process plays there, and ends though its session is open.
  const played = exitRl(['env', 'openenv', '--set', `url=${address}`, '--set', 'observationField=feedback'], {
    input: '1 2 3 4 5\n\n',
  });
  assert.equal(played.code, 0, played.stderr);
  assert.match(played.stdout, /quality \d\.\d{3}[\s\S]*the episode: \d\.\d{3}/);
  child.kill('SIGINT');
  assert.equal(await talk.closed, 1001);
  assert.deepEqual(await ended, [0, null]);
});
