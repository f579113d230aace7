// A study from start to end: plan, runs, summaries, files. The same call starts it, goes on with it and reads it again.
import { join } from 'node:path';
import { makeFolder, writeAtomically, writeJson } from '../runs/files.ts';
import { lockRun } from '../runs/lock.ts';
import { type EnvironmentSummary, summarise } from './aggregate.ts';
import { readRun } from './collect.ts';
import { drawEnvironment } from './figure.ts';
import { planStudy, rejectOtherSettings, type StudySettings } from './plan.ts';
import { formatStudy } from './report.ts';
import { finishRuns, type StudyObserver, type StudyStop } from './runs.ts';

export interface Study {
  readonly settings: StudySettings;
  readonly environments: readonly EnvironmentSummary[];
}

/**
 * Runs what is missing, `jobs` runs at a time, and writes study.json, study.md and one SVG per environment. Results do not
 * depend on `jobs`: a run computes the same numbers with any number of threads.
 */
export async function runStudy(
  out: string,
  settings: StudySettings,
  jobs: number,
  observer: StudyObserver,
  stop: StudyStop,
): Promise<{ study: Study; table: string; files: string[] }> {
  const runs = planStudy(out, settings, jobs > 1 ? 1 : null);
  for (const run of runs) rejectOtherSettings(run);
  makeFolder(out);
  const unlock = lockRun(out);
  try {
    await finishRuns(runs, jobs, observer, stop);
    const environments = settings.environments.map((environment) =>
      summarise(runs.filter((run) => run.environment === environment).map(readRun)),
    );
    const study: Study = { settings, environments };
    const table = formatStudy(environments);
    writeJson(join(out, 'study.json'), study);
    writeAtomically(join(out, 'study.md'), table);
    const figures = environments.map((summary) => {
      const file = join(out, `${summary.environment}.svg`);
      writeAtomically(file, drawEnvironment(summary));
      return file;
    });
    return { study, table, files: [join(out, 'study.json'), join(out, 'study.md'), ...figures] };
  } finally {
    unlock();
  }
}
