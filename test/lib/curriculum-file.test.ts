// The task space on disk: an exact copy, every attempt once, damage is noticed.
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBatches } from '../../lib/batch/file.ts';
import { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import { Coverage } from '../../lib/curriculum/coverage.ts';
import { UserError } from '../../lib/errors.ts';
import { Random } from '../../lib/rng.ts';
import { type CurriculumState, readCurriculum, writeCurriculum } from '../../lib/runs/curriculum-file.ts';
import type { Attempt } from '../../lib/types.ts';
import { throughFile } from '../support/buffers.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const CAPACITY = 60;
const random = new Random(1, 'file');
const tokens = (most: number): Int32Array => Int32Array.from({ length: random.below(most) }, () => random.below(1e9));
const attempt = (most = 9): Attempt => ({ tokens: tokens(most), feedback: tokens(3), quality: random.uniform() });

/** Episodes of several turns whose attempts are shared by entries and by other episodes, base tasks, and empty answers. */
function filled(): TaskBuffer {
  const buffer = new TaskBuffer({ capacity: CAPACITY, kappa: 20, staleness: 0.3 });
  for (let step = 0; step < 20; step++) {
    const history = [attempt(), attempt(1)];
    for (let child = 0; child < 3; child++) {
      const episode = [...history, attempt(40), attempt()];
      const common = { instance: random.below(2 ** 31), score: random.uniform() / 4, born: step, scored: step };
      for (const turn of [2, 3]) buffer.insert({ ...common, depth: turn, previous: episode[turn]!, episode, turn });
      buffer.insert({ ...common, depth: 0, previous: null, episode: history, turn: 2 });
    }
  }
  return buffer;
}

function covered(): Coverage {
  const coverage = new Coverage();
  for (let instance = 0; instance < 50; instance++) {
    const previous = instance % 2 === 0 ? attempt() : null;
    coverage.add({ instance, depth: 0, mode: 'base', previous, history: [], entry: null, born: null });
  }
  return coverage;
}

const state = (): CurriculumState => ({ buffer: filled().save(), coverage: covered().save() });

for (const mostTokens of [undefined, 50, 1]) {
  test(`what is read is what was written, ${mostTokens ?? 'all'} tokens to a row of the file`, async () => {
    const written = state();
    const read = await throughFile(written, mostTokens);
    assert.deepEqual(read, written);
    const copy = new TaskBuffer({ capacity: CAPACITY, kappa: 20, staleness: 0.3 });
    copy.restore(read.buffer);
    assert.deepEqual(copy.save(), written.buffer);
    const again = new Coverage();
    again.restore(read.coverage);
    assert.deepEqual(again.save(), written.coverage);
  });
}

test('a task space with nothing in it', async () => {
  const nothing = { buffer: new TaskBuffer({ capacity: 3 }).save(), coverage: new Coverage().save() };
  assert.deepEqual(await throughFile(nothing), nothing);
});

test('the tokens of an attempt are kept once, in memory and in the file, and still once after reading', async () => {
  const buffer = new TaskBuffer({ capacity: 1000 });
  const shared = { tokens: new Int32Array(5000).fill(7), feedback: new Int32Array(0), quality: 0.5 };
  const history = [shared];
  for (let i = 0; i < 500; i++) {
    const common = { instance: 1, depth: 1, score: 0.1, born: 0, scored: 0 };
    buffer.insert({ ...common, previous: i % 2 === 0 ? shared : attempt(), episode: [shared, shared], turn: 1 });
    buffer.insert({ ...common, previous: shared, episode: history, turn: 1 });
  }
  const owners = (space: TaskBuffer): number =>
    new Set(space.entries.flatMap(({ previous, episode }) => [previous!.tokens, ...episode.map((a) => a.tokens)])).size;
  assert.equal(owners(buffer), 251);
  const written = { buffer: buffer.save(), coverage: new Coverage().save() };
  await inTemporaryFolder(async (folder) => {
    const path = join(folder, 'curriculum.arrow');
    const checksum = writeCurriculum(path, written);
    assert.ok(statSync(path).size < 100_000, `${statSync(path).size} bytes`);
    const copy = new TaskBuffer({ capacity: 1000 });
    copy.restore((await readCurriculum(path, checksum)).buffer);
    assert.equal(owners(copy), 251);
    assert.equal(new Set(copy.entries.map(({ episode }) => episode)).size, 501);
    const tokensOf = copy.entry(1).previous!.tokens;
    assert.equal(tokensOf.buffer.byteLength, tokensOf.byteLength, 'memory of its own, not a view into the whole file');
  });
});

test('other readers see the columns', () =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'curriculum.arrow');
    const written = state();
    writeCurriculum(path, written);
    const row = readBatches(path).get(0)!.toJSON();
    const entries = [...(row['entries'] as Iterable<{ toJSON(): Record<string, number> }>)].map((e) => e.toJSON());
    assert.deepEqual(
      entries.map(({ score }) => score),
      [...written.buffer.entries.score],
    );
    assert.equal([...(row['attempts'] as Iterable<unknown>)].length, written.buffer.attempts.length);
  }));

test('a damaged file is refused with the reason and what to do: cut short, something else, a single wrong byte', () =>
  inTemporaryFolder(async (folder) => {
    const path = join(folder, 'curriculum.arrow');
    const checksum = writeCurriculum(path, state(), 50);
    const healthy = readFileSync(path);
    const refused = async (bytes: Uint8Array | string): Promise<void> => {
      writeFileSync(path, bytes);
      await assert.rejects(readCurriculum(path, checksum), (error: Error) => {
        assert.ok(error instanceof UserError, `${error.stack}`);
        assert.ok(error.message.startsWith(`${path} is damaged (its checksum is `), error.message);
        assert.ok(error.message.endsWith(`); delete ${folder} to go on from the checkpoint before it`));
        return true;
      });
    };
    const { length } = healthy;
    for (const bytes of [length - 1, length >> 1, 9, 0]) await refused(healthy.subarray(0, bytes));
    await refused('{"entries": []}');
    for (let i = 0; i < 200; i++) {
      const bytes = Buffer.from(healthy);
      bytes[random.below(length)]! ^= 1 << random.below(8);
      await refused(bytes);
    }
    await assert.rejects(readCurriculum(join(folder, 'none.arrow'), checksum), /cannot read .*none\.arrow/);
  }));
