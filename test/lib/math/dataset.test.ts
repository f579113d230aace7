// Problems from files, in the layouts of the public data sets: made-up rows with their fields.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { readProblems } from '../../../lib/math/dataset.ts';
import { FIXTURES } from '../../support/golden.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, content: string | Uint8Array): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}
const lines = (...rows: unknown[]): string =>
  rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
const answers = (file: string): string[] =>
  readProblems(file).problems.map(({ answer, source }) => `${answer} (${source})`);

test('the layouts of the public sets are recognised by their fields', () => {
  const rows = {
    gsm8k: { question: 'a?', answer: 'One and one <<1+1=2>>2.\n#### 1,234' },
    math: { problem: 'b?', solution: 'So $\\boxed{\\frac12}$.', level: 'Level 1', type: 'Algebra' },
    math500: { problem: 'c?', solution: '', answer: '\\sqrt{2}', subject: 'Algebra', level: 2, unique_id: 'test/1' },
    olympiad: { question: 'd?', final_answer: ['$3$', '5'], is_multiple_answer: true, subfield: 'Algebra', id: 7 },
    minerva: {
      problem: 'e?',
      solution: 'It is $\\boxed{4.5e33}$.',
      type: 'Introduction to Astronomy (8.282J), ocw',
      idx: 0,
    },
    aime: { ID: '2024-I-4', Problem: 'f?', Solution: 'x', Answer: 116 },
    amc: { problem: 'g?', answer: 142.0, id: 1, url: 'https://x/wiki/2022_AMC_12A_Problems' },
    deepscaler: { problem: 'h?', answer: '-\\frac{2}{3}', solution: 'long' },
    arrow: { prompt: 'i?', ground_truth: '(1, 2)' },
  };
  const file = write('sets.jsonl', lines(...Object.values(rows)));
  assert.deepEqual(answers(file), [
    ...[
      '1,234 (GSM8K)',
      '\\frac12 (MATH)',
      '\\sqrt{2} (MATH-500)',
      '3, 5 (OlympiadBench)',
      '4.5e33 (Minerva)',
      '116 (AIME)',
    ],
    ...['142 (AMC)', '-\\frac{2}{3} (sets)', '(1, 2) (sets)'],
  ]);
});

test('JSON arrays and Arrow files hold the same', () => {
  const [problem, answer] = [
    ['a?', 'b?'],
    ['1', '\\pi'],
  ];
  const rows = problem.map((text, i) => ({ problem: text, answer: answer[i] }));
  for (const file of [
    write('rows.json', JSON.stringify(rows)),
    write('rows.arrow', tableToIPC(tableFromArrays({ problem, answer }), 'file')),
    write('stream.arrow', tableToIPC(tableFromArrays({ problem, answer }), 'stream')),
  ]) {
    assert.deepEqual(
      readProblems(file).problems.map((row) => [row.problem, row.answer]),
      [
        ['a?', '1'],
        ['b?', '\\pi'],
      ],
      file,
    );
  }
});

// Written with pyarrow 25: three rows, an answer longer than a double holds, integers of 64 bits beside it.
test('Parquet files, compressed as they usually are', () => {
  for (const compression of ['snappy', 'zstd']) {
    const file = path.join(FIXTURES, '../parquet', `problems.${compression}.parquet`);
    assert.deepEqual(
      readProblems(file).problems.map(({ problem, answer }) => [problem, answer]),
      [
        ['a?', '1'],
        ['b?', '\\pi'],
        ['c?', '12345678901234567890'],
      ],
    );
  }
  assert.throws(
    () => readProblems(write('no.parquet', 'nothing of the kind')),
    /no\.parquet: cannot be read as Parquet: /,
  );
});

test('a broken line is an error with its number; rows without an answer and repeated ones are left out and listed', () => {
  const good = { problem: 'a?', answer: '1' };
  const broken = write('broken.jsonl', lines(good, '', '{"problem": '));
  assert.throws(() => readProblems(broken), /broken\.jsonl, line 3: not valid JSON/);
  assert.throws(() => readProblems(write('list.jsonl', lines(good, [1]))), /list\.jsonl, line 2/);
  assert.throws(() => readProblems(write('other.jsonl', lines({ text: 'x' }))), /other\.jsonl/);
  assert.throws(
    () => readProblems(write('none.jsonl', lines({ problem: 'a?' }))),
    /none\.jsonl: no problem with an answer/,
  );
  assert.throws(() => readProblems(path.join(folder, 'nowhere.jsonl')), /nowhere\.jsonl/);

  const { problems, leftOut } = readProblems(
    write(
      'some.jsonl',
      lines(
        good,
        { problem: 'b?', answer: null },
        { problem: ' A ?', answer: '2' },
        { problem: 'c?', answer: '\\frac{1' },
      ),
    ),
  );
  assert.deepEqual(problems.map(({ problem }) => problem).slice(0, 1), ['a?']);
  assert.match(leftOut[0]!.reason, /no answer/);
  assert.match(leftOut[1]!.reason, /the same problem as .*some\.jsonl/);
});

test('ids that are there twice are replaced by the place of the row', () => {
  const { problems } = readProblems(
    write('ids.jsonl', lines({ id: 'x', problem: 'a?', answer: '1' }, { id: 'x', problem: 'b?', answer: '2' })),
  );
  assert.equal(problems[0]!.id, 'x');
  assert.match(problems[1]!.id, /ids\.jsonl/);
});
