// Tables, submissions, leaderboards, rewards: what is refused and why.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Answers } from '../../lib/engineering/answers.ts';
import { CsvError, formatCsv, parseCsv, parseCsvBytes } from '../../lib/engineering/csv.ts';
import { Leaderboard } from '../../lib/engineering/leaderboard.ts';
import { improvement, normalised } from '../../lib/engineering/reward.ts';
import { gradeSubmission } from '../../lib/engineering/submission.ts';
import { Random } from '../../lib/rng.ts';
import { UserError } from '../../lib/errors.ts';

describe('csv', () => {
  test('cells with commas, quotes and line breaks come back', () => {
    const table = {
      columns: ['a', 'b "x"'],
      rows: [
        ['1,5', 'two\nlines'],
        ['', 'say "hi"'],
        ['é', ' spaces '],
      ],
    };
    assert.deepEqual(parseCsv(formatCsv(table)), table);
  });

  test('byte order mark, CRLF and empty lines at the end', () => {
    const expected = { columns: ['a', 'b'], rows: [['1', '2']] };
    assert.deepEqual(parseCsv('\ufeffa,b\r\n1,2\r\n\r\n'), expected);
    assert.deepEqual(parseCsv('"a",b\r\n"1",2\r\n'), expected);
  });

  for (const [name, text, expected] of [
    ['nothing', '', /empty/],
    ['line breaks only', '\n\n', /empty/],
    ['a short row', 'a,b\n1\n', /row 1 has 1 cells, the header 2/],
    ['a long row', 'a,b\n1,2\n1,2,3', /row 2 has 3 cells/],
    ['an empty line inside', 'a,b\n\n1,2', /row 1 has 1 cells/],
    ['a column twice', 'a,a\n1,2', /"a" is there twice/],
    ['an open quote', 'a\n"1', /quote/],
    ['text behind a quote', 'a\n"1"2', /quote/],
    ['a quote inside a bare cell', 'a\n1"2"', /quote/],
  ] as const) {
    test(`${name} is an error`, () => {
      assert.throws(
        () => parseCsv(text),
        (error) => error instanceof CsvError && expected.test(error.message),
      );
    });
  }

  test('binary files and other encodings are errors', () => {
    assert.throws(() => parseCsvBytes(Uint8Array.from([0xff, 0xfe, 0x41, 0])), /not UTF-8/);
    assert.throws(() => parseCsvBytes(Buffer.from('a\n\0')), /binary/);
  });

  test('a hundred thousand rows with quotes take no quadratic time', () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => [String(i), 'a, b']);
    const began = performance.now();
    assert.equal(parseCsv(formatCsv({ columns: ['id', 'x'], rows })).rows.length, rows.length);
    assert.ok(performance.now() - began < 3000);
  });
});

describe('submissions', () => {
  const table = parseCsv('id,y,z\na,1,0\nb,2,0\nc,3,0\nd,4,0');
  const answers = new Answers({ metric: 'rmse', id: 'id', targets: ['y'] }, table);
  const options = { shown: [0, 1], final: [2, 3], maxBytes: 200 };
  const grade = (text: string): unknown => gradeSubmission(answers, Buffer.from(text), options);

  test('rows in any order; the two scores are of different rows', () => {
    assert.deepEqual(grade('id,y\nd,6\nb,2\na,1\nc,3\n'), { valid: true, shown: 0, final: Math.SQRT2 });
    assert.deepEqual(grade('y,id\n1.0,a\n2e0,b\n+3,c\n 4 ,d'), { valid: true, shown: 0, final: 0 });
  });

  for (const [name, text, expected] of [
    ['an empty file', '', /empty/],
    ['only a header', 'id,y', /4 of 4 rows are missing, id "a"/],
    ['no header', 'a,1\nb,2\nc,3\nd,4', /the column id is missing; expected id,y/],
    ['another column', 'id,y,w\na,1,1\nb,2,1\nc,3,1\nd,4,1', /there is a column "w"/],
    ['a missing row', 'id,y\na,1\nb,2\nd,4', /1 of 4 rows are missing, id "c"/],
    ['a row twice', 'id,y\na,1\nb,2\nc,3\nd,4\na,1', /id "a" is there more than once/],
    ['a row twice instead of another', 'id,y\na,1\nb,2\nc,3\nc,4', /"c" is there more than once/],
    ['an unknown id', 'id,y\na,1\nb,2\nc,3\ne,4', /nobody asked for id "e"/],
    ['NaN', 'id,y\na,1\nb,nan\nc,3\nd,4', /y of id "b" is not a finite number: "nan"/],
    ['infinity', 'id,y\na,1\nb,inf\nc,3\nd,4', /not a finite number/],
    ['too large a number', 'id,y\na,1\nb,1e999\nc,3\nd,4', /not a finite number/],
    ['an empty cell', 'id,y\na,1\nb,\nc,3\nd,4', /is empty/],
    ['text', 'id,y\na,1\nb,0x10\nc,3\nd,4', /not a finite number: "0x10"/],
    ['a program', 'import pandas', /the column id is missing/],
    ['too many bytes', `id,y\n${'a,1\n'.repeat(100)}`, /larger than 200 bytes/],
  ] as const) {
    test(`${name} is no score, but a reason`, () => {
      const result = grade(text) as { valid: boolean; reason: string };
      assert.equal(result.valid, false);
      assert.match(result.reason, expected);
    });
  }

  test('what a metric refuses is a reason, too', () => {
    const ofMetric = (metric: 'auc' | 'rmsle' | 'f1'): unknown => {
      const own = new Answers({ metric, id: 'id', targets: ['y'] }, parseCsv('id,y\na,1\nb,0'));
      return gradeSubmission(own, Buffer.from('id,y\na,-1\nb,2'), { shown: [0, 1], final: [0, 1] });
    };
    assert.match(JSON.stringify(ofMetric('auc')), /not from 0 to 1/);
    assert.match(JSON.stringify(ofMetric('rmsle')), /negative/);
    assert.match(JSON.stringify(ofMetric('f1')), /0 or 1/);
  });

  test('labels are compared as text, numbers as numbers', () => {
    const own = new Answers(
      { metric: 'accuracy', id: 'id', targets: ['y'] },
      parseCsv('id,y\na,cat\nb,dog\nc,1\nd,True'),
    );
    const options = { shown: [0, 1, 2, 3], final: [0] };
    const result = gradeSubmission(own, Buffer.from('id,y\na,cat\nb,Dog\nc,1.0\nd,1'), options);
    assert.deepEqual(result, { valid: true, shown: 0.75, final: 1 });
  });

  test('whatever the bytes are, the answer is a score or a reason', () => {
    const random = new Random(1, 'submissions');
    const seed = Buffer.from('id,y\r\na,1\n"b",2\nc,3e0\nd,"4"\n');
    const pieces = ['"', ',', '\n', '\r', '\0', 'nan', 'a', '1', '-', 'e9', '\ufeff', 'id', '\xff'].map((text) =>
      Buffer.from(text, 'latin1'),
    );
    let valid = 0;
    for (let i = 0; i < 3000; i++) {
      let bytes = seed;
      for (let changes = random.below(4); changes > 0; changes--) {
        const [from, to] = [random.below(bytes.length + 1), random.below(bytes.length + 1)].sort((a, b) => a - b) as [
          number,
          number,
        ];
        const end = random.chance(0.7) ? from : Math.min(to, from + 3);
        bytes = Buffer.concat([bytes.subarray(0, from), random.pick(pieces), bytes.subarray(end)]);
      }
      const result = gradeSubmission(answers, bytes, options);
      if (result.valid) {
        valid++;
        assert.ok(Number.isFinite(result.shown) && Number.isFinite(result.final));
      } else assert.ok(result.reason.length > 0 && result.reason.length < 400);
    }
    assert.ok(valid > 500 && valid < 2500, `${valid}`);
  });

  test('ids that are asked for twice must come twice', () => {
    const own = new Answers({ metric: 'mae', id: 'id', targets: ['y'] }, parseCsv('id,y\na,1\na,1\nb,2'));
    const rows = { shown: [0, 1, 2], final: [0, 1, 2] };
    assert.equal(gradeSubmission(own, Buffer.from('id,y\na,1\nb,2\na,1'), rows).valid, true);
    assert.equal(gradeSubmission(own, Buffer.from('id,y\na,1\nb,2'), rows).valid, false);
  });

  test('a bad answer key is an error at once', () => {
    assert.throws(() => new Answers({ metric: 'rmse', id: 'id', targets: ['y'] }, parseCsv('id,y\na,x')), UserError);
    assert.throws(() => new Answers({ metric: 'rmse', id: 'id', targets: ['w'] }, table), /no column "w"/);
  });
});

describe('leaderboards', () => {
  const board = (teams: number): Leaderboard =>
    new Leaderboard(
      Array.from({ length: teams }, (_, i) => teams - i),
      'higher',
    );
  const positions = (teams: number): number[] =>
    Object.values(board(teams).thresholds()).map((score) => teams - score + 1);

  test('positions of medals by the number of teams', () => {
    assert.deepEqual(positions(1), [1, 1, 1]);
    assert.deepEqual(positions(50), [5, 10, 20]);
    assert.deepEqual(positions(99), [9, 19, 39]);
    assert.deepEqual(positions(100), [10, 20, 40]);
    assert.deepEqual(positions(249), [10, 49, 99]);
    assert.deepEqual(positions(250), [10, 50, 100]);
    assert.deepEqual(positions(999), [11, 50, 100]);
    assert.deepEqual(positions(1000), [12, 50, 100]);
    assert.deepEqual(positions(5000), [20, 250, 500]);
  });

  test('medals, median and percentile, either direction', () => {
    const high = new Leaderboard([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 'higher');
    assert.deepEqual(
      [11, 10, 9, 8, 7, 6.5].map((score) => high.medal(score)),
      ['gold', 'gold', 'silver', 'bronze', 'bronze', null],
    );
    assert.deepEqual([high.median, high.aboveMedian(5.5), high.aboveMedian(5.6)], [5.5, false, true]);
    assert.deepEqual(
      [0, 1, 5.5, 10, 11].map((score) => high.percentile(score)),
      [0, 0.05, 0.5, 0.95, 1],
    );
    const low = new Leaderboard([0.1, 0.2, 0.3, 0.4], 'lower');
    assert.deepEqual([low.medal(0.05), low.medal(0.15), low.percentile(0.05)], ['gold', null, 1]);
  });

  test('the direction of a file: first against last', () => {
    assert.equal(Leaderboard.fromTable(parseCsv('teamName,score\na,0.9\nb,0.5')).better, 'higher');
    assert.equal(Leaderboard.fromTable(parseCsv('score\n0.1\n0.5')).better, 'lower');
    assert.throws(() => Leaderboard.fromTable(parseCsv('version,score\nx,')), /git lfs pull/);
  });
});

test('normalised scores and improvement', () => {
  assert.equal(normalised(0.75, { worst: 0.5, best: 1 }), 0.5);
  assert.equal(normalised(0.375, { worst: 1.5, best: 0 }), 0.75);
  assert.deepEqual(
    [2, -1, null, Number.NaN].map((score) => normalised(score, { worst: 0, best: 1 })),
    [1, 0, 0, 0],
  );
  assert.equal(improvement(0.75, 0.5), 0.5);
  assert.deepEqual([improvement(0.5, 0.6), improvement(0.9, 1), improvement(1, 0)], [0, 0, 1]);
});
