// exit-rl study: strategies side by side, on several environments and seeds.
import type { CommandModule } from 'yargs';
import { presetFile, presetNames } from '../config/presets.ts';
import { STRATEGIES } from '../curriculum/strategies.ts';
import { UsageError } from '../errors.ts';
import { planStudy, strategyNames, type StudySettings } from '../study/plan.ts';
import type { StudyStop } from '../study/runs.ts';
import { runStudy } from '../study/study.ts';
import { declare, wholeNumber, wholeNumbers } from './options.ts';

interface Arguments {
  environments?: string;
  strategies: string;
  seeds: string;
  k: string;
  set?: string[];
  out: string;
  jobs: string;
  json?: boolean;
}

export const study: CommandModule<object, Arguments> = {
  command: 'study',
  describe: 'Compare strategies on several environments and seeds; given again, it goes on',
  builder: (argv) =>
    declare('study', argv, {
      environments: {
        type: 'string',
        requiresArg: true,
        describe: `Presets, separated by commas: ${presetNames().join(',')}`,
      },
      strategies: {
        type: 'string',
        requiresArg: true,
        default: Object.keys(STRATEGIES).join(','),
        describe: 'Strategies, separated by commas',
      },
      seeds: { type: 'string', requiresArg: true, default: '5', describe: 'Runs per environment: seeds 1, 2, ...' },
      k: {
        type: 'string',
        requiresArg: true,
        default: '0,1,2,4,8,16,32',
        describe: 'Numbers of steps in the final evaluation',
      },
      set: { type: 'string', array: true, nargs: 1, describe: 'Override a setting of the presets' },
      out: { type: 'string', requiresArg: true, default: 'runs/study', describe: 'Folder of the study' },
      jobs: {
        type: 'string',
        requiresArg: true,
        default: '1',
        describe: 'Runs at a time; with more than 1, each has one thread',
      },
      json: { type: 'boolean', describe: 'Print the content of study.json' },
    }) as never,
  handler: async (args) => {
    const settings = studySettings(args);
    const jobs = wholeNumber('jobs', args.jobs, 1);
    planStudy(args.out, settings, null); // complain before anything is printed
    const observer = {
      line: (run: { environment: string; seed: number }, text: string) =>
        void process.stderr.write(`${run.environment} seed ${run.seed}: ${text}\n`),
    };
    const { study: result, table, files } = await runStudy(args.out, settings, jobs, observer, stopOnSignals());
    if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else process.stdout.write(`${table}\n${files.join('\n')}\n`);
  },
};

function studySettings(args: Arguments): StudySettings {
  if (args.environments === undefined) {
    throw new UsageError(`give --environments, separated by commas; there are: ${presetNames().join(', ')}`);
  }
  const environments = list('environments', args.environments);
  for (const name of environments) presetFile(name);
  return {
    environments,
    strategies: strategyNames(list('strategies', args.strategies)),
    seeds: wholeNumber('seeds', args.seeds, 1),
    k: wholeNumbers('k', args.k),
    set: args.set ?? [],
  };
}

/** Names separated by commas, each once. */
function list(option: string, text: string): string[] {
  const names = [...new Set(text.split(',').map((name) => name.trim()))].filter((name) => name !== '');
  if (names.length === 0) throw new UsageError(`--${option}: give at least one name`);
  return names;
}

/** First signal: the runs save and end. Second: they end now. */
function stopOnSignals(): StudyStop {
  const stop: StudyStop = { requested: false, forward: () => {} };
  const handle = (signal: NodeJS.Signals): void => {
    stop.requested = true;
    stop.forward(signal);
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return stop;
}
