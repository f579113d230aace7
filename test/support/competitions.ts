// Small prepared competitions in MLE-bench's layout, written by us.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface Prepared {
  readonly id: string;
  readonly grader: string;
  readonly answers: string;
  readonly sample: string;
  readonly leaderboard?: string;
  readonly gradePy?: string;
  readonly sampleName?: string;
}

/** Writes the files of a competition and returns its folder. */
export function writePrepared(parent: string, prepared: Prepared): string {
  const { id, grader, answers, sample, leaderboard, gradePy, sampleName = 'sample_submission.csv' } = prepared;
  const folder = path.join(parent, id);
  mkdirSync(path.join(folder, 'prepared/public'), { recursive: true });
  mkdirSync(path.join(folder, 'prepared/private'), { recursive: true });
  const files = {
    'config.yaml':
      `id: ${id}\nname: A competition\ndataset:\n  answers: ${id}/prepared/private/test.csv\n` +
      `  sample_submission: ${id}/prepared/public/${sampleName}\n` +
      `grader:\n  name: ${grader}\n  grade_fn: mlebench.competitions.${id}.grade:grade\n`,
    'description.md': '# A competition\n',
    'prepared/public/train.csv': 'id,x,y\n1,2,3\n',
    [`prepared/public/${sampleName}`]: sample,
    'prepared/private/test.csv': answers,
    ...(leaderboard === undefined ? {} : { 'leaderboard.csv': leaderboard }),
    ...(gradePy === undefined ? {} : { 'grade.py': gradePy }),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return folder;
}
