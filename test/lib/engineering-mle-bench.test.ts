// Prepared MLE-bench folders: what is read from where, and what is said when something is missing.
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { openMleBench } from '../../lib/engineering/mle-bench.ts';
import { UserError } from '../../lib/errors.ts';
import { SandboxError } from '../../lib/sandbox/error.ts';
import { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { inTemporaryFolder } from '../support/cli.ts';
import { writePrepared } from '../support/competitions.ts';
import { withoutBubblewrap } from '../support/sandboxes.ts';

const skip = await withoutBubblewrap('python');
const bytes = (text: string): Uint8Array => Buffer.from(text);

test('a metric of ours, by the name in config.yaml; columns from the sample', () =>
  inTemporaryFolder(async (folder) => {
    const competition = openMleBench(
      writePrepared(folder, {
        ...{
          id: 'houses',
          grader: 'root-mean-squared-error',
          sample: 'Id,price\n1,0\n2,0\n',
          answers: 'Id,price,Usage\n1,10\n2,20\n',
        },
        ...{
          answers: 'Id,price,Usage\n1,10,Public\n2,20,Private\n',
          leaderboard: 'teamName,score\na,0.1\nb,1\nc,20\n',
        },
      }),
    );
    assert.deepEqual(
      [competition.id, competition.better, competition.sample],
      ['houses', 'lower', 'sample_submission.csv'],
    );
    assert.equal(competition.description, '# A competition\n');
    assert.equal(competition.data, path.join(folder, 'houses/prepared/public'));
    assert.deepEqual(competition.range, { worst: 20, best: 0 });
    const grade = await competition.grade(bytes('Id,price\n2,22\n1,11\n'));
    assert.deepEqual(grade, { valid: true, shown: 1.58114, final: 1.58114 });
    assert.equal(competition.leaderboard!.medal(1.58114), null);
    assert.equal(competition.leaderboard!.medal(0.1), 'gold');
    assert.equal((await competition.grade(bytes('Id,price\n2,20\n'))).valid, false);
  }));

describe('competitions of the paper', () => {
  test('insults: the id is the comment, other columns may be there', () =>
    inTemporaryFolder(async (folder) => {
      const competition = openMleBench(
        writePrepared(folder, {
          ...{
            id: 'detecting-insults-in-social-commentary',
            grader: 'auc-roc',
            sampleName: 'sample_submission_null.csv',
          },
          sample: 'Insult,Date,Comment\n0,,"a, b"\n0,,c\n',
          answers: 'Insult,Date,Comment,Usage\n1,,"a, b",x\n0,,c,x\n',
          leaderboard: 'score\n0.9\n0.4\n',
        }),
      );
      assert.equal(competition.sample, 'sample_submission_null.csv');
      assert.deepEqual(competition.range, { worst: 0, best: 1 });
      assert.deepEqual(await competition.grade(bytes('Comment,Insult\nc,0.1\n"a, b",0.8\n')), {
        valid: true,
        shown: 1,
        final: 1,
      });
    }));

  test('spooky authors: probabilities of three classes', () =>
    inTemporaryFolder(async (folder) => {
      const competition = openMleBench(
        writePrepared(folder, {
          ...{ id: 'spooky-author-identification', grader: 'multi-class-log-loss' },
          ...{
            sample: 'id,EAP,HPL,MWS\n1,0.4,0.3,0.3\n2,0.4,0.3,0.3\n',
            answers: 'id,EAP,HPL,MWS\n1,1,0,0\n2,0,0,1\n',
          },
        }),
      );
      const grade = await competition.grade(bytes('id,EAP,HPL,MWS\n2,0.5,0.25,0.25\n1,0.5,0.25,0.25\n'));
      assert.deepEqual(grade, { valid: true, shown: 1.03972, final: 1.03972 });
      assert.match(
        JSON.stringify(await competition.grade(bytes('id,EAP,HPL,MWS\n2,0.5,0.5,0.5\n1,1,0,0\n'))),
        /sum to 1/,
      );
      assert.deepEqual(competition.range, { worst: 1.5, best: 0 });
    }));

  test('toxic comments: the mean over six columns; rows marked -1 do not count', () =>
    inTemporaryFolder(async (folder) => {
      const header = 'id,toxic,severe_toxic,obscene,threat,insult,identity_hate\n';
      const row = (id: string, value: number | string): string => `${id},${new Array(6).fill(value).join(',')}\n`;
      const competition = openMleBench(
        writePrepared(folder, {
          ...{ id: 'jigsaw-toxic-comment-classification-challenge', grader: 'column-wise ROC AUC' },
          sample: header + row('a', 0.5) + row('b', 0.5) + row('c', 0.5) + row('d', 0.5),
          answers: header + row('a', 0) + row('b', 1) + row('c', -1) + row('d', 1),
        }),
      );
      const submission = header + row('d', 0.1) + row('c', 0.9) + row('b', 0.8) + row('a', 0.3);
      assert.deepEqual(await competition.grade(bytes(submission)), { valid: true, shown: 0.5, final: 0.5 });
    }));
});

describe('mistakes', () => {
  const good = { id: 'x', grader: 'mae', sample: 'id,y\n1,0\n', answers: 'id,y\n1,2\n', leaderboard: 'score\n1\n2\n' };
  const opening = (change: (folder: string) => void, expected: RegExp, prepared = good): Promise<void> =>
    inTemporaryFolder((parent) => {
      const folder = writePrepared(parent, prepared);
      change(folder);
      assert.throws(
        () => openMleBench(folder),
        (error) => error instanceof UserError && expected.test(error.message),
      );
    });

  test('files that are missing or broken are named', async () => {
    await opening((folder) => rmSync(path.join(folder, 'config.yaml')), /config\.yaml/);
    await opening((folder) => rmSync(path.join(folder, 'description.md')), /description\.md/);
    await opening((folder) => rmSync(path.join(folder, 'prepared/private/test.csv')), /test\.csv is missing: prepare/);
    await opening((folder) => writeFileSync(path.join(folder, 'config.yaml'), 'id: [\n'), /not valid YAML/);
    await opening((folder) => writeFileSync(path.join(folder, 'config.yaml'), 'name: x\n'), /id must be text/);
    await opening(
      (folder) => writeFileSync(path.join(folder, 'prepared/private/test.csv'), 'id,y\n1\n'),
      /test\.csv: row 1/,
    );
    await opening(
      (folder) => writeFileSync(path.join(folder, 'prepared/private/test.csv'), 'id,y\n1,?\n'),
      /the answer "\?"/,
    );
  });

  test('paths do not leave prepared/', () =>
    opening(
      (folder) =>
        writeFileSync(
          path.join(folder, 'config.yaml'),
          'id: x\ndataset: { answers: x/prepared/../../secret.csv }\ngrader: { name: mae }\n',
        ),
      /must be a path in prepared/,
    ));

  test('answers that no submission could be scored on', async () => {
    await opening(() => {}, /cannot be scored by auc: AUC needs rows of both classes/, {
      ...good,
      grader: 'auc',
      answers: 'id,y\n1,1\n',
      leaderboard: 'score\n1\n0\n',
    });
    await opening(() => {}, /the answers: there is no column "y"/, { ...good, answers: 'id,z\n1,1\n' });
  });

  test('a leaderboard that runs the other way than the metric', () =>
    opening(() => {}, /higher scores are better there, but not for mae/, { ...good, leaderboard: 'score\n2\n1\n' }));

  test('a metric that is none of ours needs grade.py, a sandbox and a leaderboard', () =>
    opening(() => {}, /metric "mean-dice" is none of ours.*needs a sandbox/, { ...good, grader: 'mean-dice' }));
});

test('grade.py runs in the sandboxed Python, or says what it lacks', { skip }, () =>
  inTemporaryFolder(async (folder) => {
    const sandbox = new Sandbox();
    const competition = openMleBench(
      writePrepared(folder, {
        ...{
          id: 'y',
          grader: 'sum-of-everything',
          sample: 'id,y\n1,0\n',
          answers: 'id,y\n1,2\n',
          leaderboard: 'score\n5\n1\n',
        },
        gradePy:
          'import pandas as pd\nfrom mlebench.grade_helpers import InvalidSubmissionError\n' +
          'def grade(submission, answers):\n    if len(submission) != len(answers): raise InvalidSubmissionError("rows")\n' +
          '    return float((submission["y"] + answers["y"]).sum())\n',
      }),
      { sandbox },
    );
    assert.deepEqual([competition.better, competition.range], ['higher', { worst: 1, best: 5 }]);
    const hasPandas = (await sandbox.run({ language: 'python', source: 'import pandas' })).exitCode === 0;
    if (hasPandas) {
      assert.deepEqual(await competition.grade(bytes('id,y\n1,3\n')), { valid: true, shown: 5, final: 5 });
      assert.deepEqual(await competition.grade(bytes('id,y\n')), { valid: false, reason: 'rows' });
    } else {
      await assert.rejects(
        competition.grade(bytes('id,y\n1,3\n')),
        (error) => error instanceof SandboxError && /EXIT_RL_PYTHON/.test(error.message),
      );
    }
    sandbox.close();
  }),
);
