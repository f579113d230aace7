// exit-rl verify: the decision, its reason, and the exit code.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exitRl } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'exit-rl-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('a decision is explained; the exit code is that of the comparison', () => {
  const right = exitRl(['verify', '--gold', '\\frac{1}{2}', '--answer', 'So it is $\\boxed{0.5}$.']);
  assert.equal(right.code, 0);
  assert.match(right.stdout, /^gold +\\frac\{1\}\{2\}.*\nanswer +0\.5 .*\nequal/);
  const wrong = exitRl(['verify', '--gold', '3', '--answer', '4', '--json']);
  assert.equal(wrong.code, 1);
  assert.equal(JSON.parse(wrong.stdout).status, 'different');
});

test('--strict takes only what is marked', () => {
  const given = ['verify', '--gold', '4', '--answer', 'I get 4.'];
  assert.equal(exitRl(given).code, 0);
  const strict = exitRl([...given, '--strict']);
  assert.equal(strict.code, 1);
  assert.match(strict.stdout, /no answer/);
});

test('a file of pairs: a line each and the sum; a broken line is named', () => {
  const file = join(folder, 'pairs.jsonl');
  writeFileSync(file, '{"gold": "1", "answer": "1.0"}\n\n{"gold": "1", "answer": "2"}\n');
  const all = exitRl(['verify', '--file', file]);
  assert.equal(all.code, 0);
  assert.match(all.stdout, /^equal .*\ndifferent .*\n1 of 2 equal\n$/);
  writeFileSync(file, '{"gold": "1", "answer": "1"}\n{"gold": 1}\n');
  const broken = exitRl(['verify', '--file', file]);
  assert.equal(broken.code, 1);
  assert.match(broken.stderr, /pairs\.jsonl, line 2: needs "gold" and "answer"/);
  assert.equal(exitRl(['verify', '--gold', '1']).code, 2);
});
