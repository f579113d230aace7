// exit-rl train: start a run, or go on with one.
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { CommandModule } from 'yargs';
import { loadConfig } from '../config/load.ts';
import { loadPreset, presetNames } from '../config/presets.ts';
import type { Config } from '../config/schema.ts';
import { UsageError } from '../errors.ts';
import { withGenerationDefaults } from '../evaluation/sampling.ts';
import { formatCurves } from '../evaluation/table.ts';
import { environmentFacts } from '../runs/facts.ts';
import { runExperiment } from '../runs/experiment.ts';
import { ADAPTER_CONFIG, CONFIG } from '../runs/files.ts';
import { createRun, openRun, type Run } from '../runs/run-folder.ts';
import { dryRun } from './dry-run.ts';
import { loadEngine } from './engine.ts';
import { BASE, DEVICE, declare, onDevice, rejectBase } from './options.ts';
import { clock, Progress } from './progress.ts';
import { stopOnSignals } from './signals.ts';

interface Arguments {
  config?: string;
  preset?: string;
  set?: string[];
  data?: string;
  model?: string;
  strategy?: string[];
  out?: string;
  resume?: string;
  base?: string;
  device?: string;
  'dry-run'?: boolean;
  json?: boolean;
}

export const train: CommandModule<object, Arguments> = {
  command: 'train',
  describe: 'Train from a configuration, or go on with an interrupted run',
  builder: (argv) =>
    declare('train', argv, {
      config: {
        type: 'string',
        requiresArg: true,
        describe: 'Configuration file (YAML); exit-rl config lists the settings',
      },
      preset: {
        type: 'string',
        requiresArg: true,
        describe: `Configuration that ships with the package: ${presetNames().join(', ')}; paper/<domain>-<strategy>`,
      },
      set: { type: 'string', array: true, nargs: 1, describe: 'Override a setting: --set train.steps=100' },
      data: { type: 'string', requiresArg: true, describe: 'Folder with the tasks (environment.data)' },
      model: { type: 'string', requiresArg: true, describe: 'Folder of a checkpoint to start from (model.path)' },
      strategy: { type: 'string', array: true, nargs: 1, describe: 'Train this strategy (repeat for several)' },
      out: { type: 'string', requiresArg: true, describe: 'Folder of the run (default: runs/<name>-<time>)' },
      resume: { type: 'string', requiresArg: true, describe: 'Folder of a run to go on with' },
      ...BASE,
      ...DEVICE,
      'dry-run': {
        type: 'boolean',
        describe: 'Check the configuration, print it and the memory it takes; train nothing',
      },
      json: { type: 'boolean', describe: 'Print results as JSON' },
    }) as never,
  handler: async (args) => {
    const began = performance.now();
    const start = args.resume === undefined ? configured(args) : resumed(args, args.resume);
    const addon = await loadEngine();
    if (args['dry-run']) return dryRun(addon, start.config, args.json ?? false);
    const run =
      'path' in start ? start : createRun(newFolder(args, start.name), start.config, environmentFacts(addon.doctor()));
    const progress = new Progress();
    const stop = stopOnSignals();
    const results = await runExperiment(addon, run, progress, stop).finally(() => progress.end());
    const seconds = (performance.now() - began) / 1000;
    if (args.json) process.stdout.write(`${JSON.stringify({ run: run.path, seconds, results })}\n`);
    else process.stdout.write(`${formatCurves(results)}\n${clock(seconds)} in all; run folder: ${run.path}\n`);
  },
};

function configured(args: Arguments): { name: string; config: Config } {
  rejectBase(args);
  if ((args.config === undefined) === (args.preset === undefined)) {
    throw new UsageError(`give --config FILE or --preset NAME (presets: ${presetNames().join(', ')})`);
  }
  const set = [...(args.set ?? [])];
  // From the working folder of now: a run may be resumed in another one.
  if (args.data !== undefined) set.push(`environment.data=${JSON.stringify(resolve(args.data))}`);
  if (args.model !== undefined) set.push(`model.path=${JSON.stringify(resolve(args.model))}`, 'model.decoder=null');
  if (args.device !== undefined) set.push(`model.device=${args.device}`);
  if (args.strategy !== undefined) set.push(`strategies=[${args.strategy.join(', ')}]`);
  const loaded = args.config === undefined ? loadPreset(args.preset!, set) : loadConfig(args.config, set);
  const { path, adapter } = loaded.model;
  if (path !== null && !existsSync(join(path, CONFIG))) {
    throw new UsageError(`model.path ${path}: no ${CONFIG} there; it must be a folder with a checkpoint`);
  }
  if (adapter !== null && !existsSync(join(adapter, ADAPTER_CONFIG))) {
    throw new UsageError(
      `model.adapter ${adapter}: no ${ADAPTER_CONFIG} there; it must be a folder of the peft package`,
    );
  }
  const name = args.preset?.replace('/', '-') ?? basename(args.config!).replace(/\.ya?ml$/, '');
  return { name, config: withGenerationDefaults(loaded) };
}

function resumed(args: Arguments, path: string): Run {
  for (const name of ['config', 'preset', 'set', 'data', 'model', 'strategy', 'out'] as const) {
    if (args[name] !== undefined)
      throw new UsageError(`--resume goes on with the run as it was configured; drop --${name}`);
  }
  const run = openRun(path, args.base ?? null);
  return { ...run, config: { ...run.config, model: onDevice(run.config.model, args.device) } };
}

/** --out, or runs/<name>-<time> with a number behind it when two start in the same second. */
function newFolder(args: Arguments, name: string): string {
  if (args.out !== undefined) return args.out;
  const time = new Date().toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  const path = join('runs', `${name}-${time}`);
  for (let i = 2; ; i++) {
    const candidate = i === 2 && !existsSync(path) ? path : `${path}-${i}`;
    if (!existsSync(candidate)) return candidate;
  }
}
