// A made competition on disk, for programs to read.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { UserError } from '../../errors.ts';
import type { Competition } from '../competition.ts';
import { formatCsv } from '../csv.ts';
import { METRICS } from '../metrics/registry.ts';
import { gradeSubmission } from '../submission.ts';
import { generate, type Generated } from './generate.ts';
import type { GeneratedSettings } from './settings.ts';

const SAMPLE = 'sample_submission.csv';
const MAX_BYTES = 2 ** 20;
/** A cell of a submission may be this long on average. */
const BYTES_PER_CELL = 40;

/**
 * The competition of a seed, its public files in a folder of their own inside `folder`. Answers are never written to disk.
 *
 * @example const competition = openGenerated(generatedSettings.parse({ family: 'text' }), 7, cacheFolder)
 */
export function openGenerated(settings: GeneratedSettings, seed: number, folder: string): Competition {
  const generated = generate(settings, seed);
  const { id, title, description, answers, range, leaderboard, shown, final, sample } = generated;
  const data = writePublic(generated, folder);
  const maxBytes = Math.max(MAX_BYTES, BYTES_PER_CELL * sample.columns.length * sample.rows.length);
  return {
    ...{ id, name: title, description, data, sample: SAMPLE, range, leaderboard },
    better: METRICS[answers.scoring.metric].better,
    grade: async (submission) => gradeSubmission(answers, submission, { shown, final, maxBytes }),
  };
}

/** Writes what solvers may see; the folder has its name when it is complete. Another process may make the same one. */
function writePublic({ id, description, train, test, sample }: Generated, folder: string): string {
  const files = {
    'train.csv': formatCsv(train),
    'test.csv': formatCsv(test),
    [SAMPLE]: formatCsv(sample),
    'description.md': description,
  };
  const target = path.join(folder, `${id}-${fingerprint(Object.values(files).join('\0'))}`);
  if (existsSync(target)) return target;
  try {
    mkdirSync(folder, { recursive: true });
    const temporary = mkdtempSync(`${target}-`);
    for (const [name, content] of Object.entries(files))
      writeFileSync(path.join(temporary, name), content, { mode: 0o644 });
    chmodSync(temporary, 0o755);
    try {
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      if (!existsSync(target)) throw error;
    }
  } catch (error) {
    throw new UserError(`cannot write the files of a competition into ${folder}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return target;
}

/** Tells settings apart that make different files. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
