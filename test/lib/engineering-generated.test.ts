// Made competitions: the same ones from a seed, solvable, with nothing hidden in the public files.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { formatCsv, parseCsv } from '../../lib/engineering/csv.ts';
import { generate } from '../../lib/engineering/generated/generate.ts';
import { openGenerated } from '../../lib/engineering/generated/open.ts';
import { FAMILIES, type GeneratedSettings, generatedSettings } from '../../lib/engineering/generated/settings.ts';
import { METRICS } from '../../lib/engineering/metrics/registry.ts';
import { normalised } from '../../lib/engineering/reward.ts';
import { mean } from '../../lib/statistics.ts';
import { inTemporaryFolder } from '../support/cli.ts';

const settingsOf = (settings: Partial<GeneratedSettings>): GeneratedSettings =>
  generatedSettings.parse({ rows: 200, testRows: 120, entries: 60, ...settings });

for (const family of FAMILIES) {
  describe(family, () => {
    const settings = settingsOf({ family });
    const made = generate(settings, 5);

    test('the same seed makes the same one, another seed another', () => {
      const again = generate(settings, 5);
      for (const table of ['train', 'test', 'sample'] as const)
        assert.equal(formatCsv(again[table]), formatCsv(made[table]));
      assert.deepEqual(again.leaderboard.scores, made.leaderboard.scores);
      assert.notEqual(formatCsv(generate(settings, 6).train), formatCsv(made.train));
    });

    test('sizes, ids and splits', () => {
      assert.ok(Math.abs(made.train.rows.length - 200) <= 2 && Math.abs(made.test.rows.length - 120) <= 2);
      assert.deepEqual(
        made.sample.rows.map(([id]) => id),
        made.test.rows.map(([id]) => id),
      );
      assert.equal(new Set([...made.shown, ...made.final]).size, made.test.rows.length);
      assert.ok(Math.abs(made.shown.length - made.final.length) <= 1);
    });

    test('there is something to gain, and the leaderboard lies between guessing and knowing', () => {
      const { better } = METRICS[made.answers.scoring.metric];
      const { worst, best } = made.range;
      assert.ok(better === 'higher' ? best > worst : best < worst);
      const of = made.leaderboard.scores.map((score) => normalised(score, made.range));
      assert.equal(of.length, 60);
      assert.ok(of[0]! > 0.1 && of[0]! <= 1, `best entry ${of[0]}`);
      assert.ok(new Set(made.leaderboard.scores).size > 20);
      assert.equal(made.leaderboard.better, better);
    });

    test('files say nothing of the answers, and the sample is a valid submission', () =>
      inTemporaryFolder(async (folder) => {
        const competition = openGenerated(settings, 5, folder);
        assert.deepEqual(readdirSync(competition.data).sort(), [
          ...['description.md', 'sample_submission.csv', 'test.csv', 'train.csv'],
        ]);
        assert.equal(statSync(competition.data).mode & 0o777, 0o755);
        const { columns } = parseCsv(readFileSync(path.join(competition.data, 'test.csv'), 'utf8'));
        for (const target of made.answers.scoring.targets) assert.ok(!columns.includes(target), target);
        const sample = await competition.grade(readFileSync(path.join(competition.data, competition.sample)));
        assert.ok(sample.valid);
        assert.ok(normalised(sample.final, competition.range) < 0.1);
        assert.equal(openGenerated(settings, 5, folder).data, competition.data);
        assert.notEqual(openGenerated(settings, 6, folder).data, competition.data);
      }));
  });
}

describe('knobs', () => {
  const column = (settings: Partial<GeneratedSettings>, part: 'train' | 'test', name: string): string[] => {
    const table = generate(settingsOf({ entries: 10, ...settings }), 3)[part];
    return table.rows.map((row) => row[table.columns.indexOf(name)]!);
  };

  test('missing', () => {
    const empty = (missing: number): number =>
      mean(column({ missing }, 'train', 'x2').map((text) => (text === '' ? 1 : 0)));
    assert.equal(empty(0), 0);
    assert.ok(Math.abs(empty(0.5) - 0.5) < 0.12);
  });

  test('imbalance', () => {
    const share = mean(column({ family: 'classification', imbalance: 0.1, rows: 400 }, 'train', 'y').map(Number));
    assert.ok(Math.abs(share - 0.1) < 0.06, `${share}`);
  });

  test('shift moves the test rows', () => {
    const gap = (shift: number): number => {
      const [a, b] = (['train', 'test'] as const).map((part) =>
        mean(column({ shift, missing: 0 }, part, 'x1').map(Number)),
      );
      return Math.abs(a! - b!);
    };
    assert.ok(gap(3) > 5 * gap(0));
  });

  test('noise bounds what can be known', () => {
    const share = (noise: number): number => {
      const { range } = generate(settingsOf({ family: 'regression', noise, entries: 10 }), 3);
      return range.best / range.worst;
    };
    assert.ok(share(0) < 0.01 && share(0.3) < share(1) && share(1) < share(3));
  });

  test('columns', () => {
    assert.equal(generate(settingsOf({ columns: 3, entries: 10 }), 3).train.columns.length, 1 + 3 + 2 + 1);
  });

  test('extremes make competitions, too', () => {
    for (const family of FAMILIES) {
      const extreme = {
        family,
        rows: 60,
        testRows: 40,
        columns: 2,
        noise: 10,
        interactions: 0,
        missing: 0.9,
        shift: 5,
      };
      for (const imbalance of [0.02, 0.98]) {
        for (let seed = 0; seed < 5; seed++) {
          const made = generate(settingsOf({ ...extreme, imbalance, entries: 10 }), seed);
          const { worst, best } = made.range;
          assert.ok([...made.leaderboard.scores, worst, best].every(Number.isFinite) && worst !== best);
        }
      }
    }
  });
});
