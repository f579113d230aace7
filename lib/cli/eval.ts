// exit-rl eval: held-out quality after k self-iteration steps.
import type { CommandModule } from 'yargs';
import { suggestion, UsageError } from '../errors.ts';
import { type Curve, evaluate } from '../evaluation/evaluate.ts';
import { checkSamples, evaluationSampling } from '../evaluation/sampling.ts';
import { formatCurve, formatCurves } from '../evaluation/table.ts';
import { openEnvironment, openFolder } from '../model.ts';
import { savedModels } from './checkpoints.ts';
import { loadEngine } from './engine.ts';
import { BASE, DEVICE, declare, onDevice, wholeNumber, wholeNumbers } from './options.ts';
import { type SamplingArguments, samplingOptions, samplingWishes } from './sampling.ts';

interface Arguments extends SamplingArguments {
  run: string;
  k: string;
  instances?: string;
  samples?: string;
  seed?: string;
  step?: string;
  base?: string;
  device?: string;
  revise: string;
  'revise-below': string;
  json?: boolean;
}

export const evaluateCommand: CommandModule<object, Arguments> = {
  command: 'eval <run>',
  describe: 'Held-out quality after k steps of self-iteration, k as large as you like',
  builder: (argv) =>
    declare(
      'eval',
      argv.positional('run', { type: 'string', describe: 'Folder of a run, of one of its arms, or of a checkpoint' }),
      {
        k: {
          type: 'string',
          requiresArg: true,
          default: '0,1,2,4,8,16',
          describe: 'Numbers of steps, separated by commas',
        },
        instances: { type: 'string', requiresArg: true, describe: 'Held-out instances (default: as configured)' },
        samples: {
          type: 'string',
          requiresArg: true,
          describe: 'Episodes per instance, averaged: the n of avg@n (default: as configured)',
        },
        ...samplingOptions('as configured'),
        seed: { type: 'string', requiresArg: true, describe: 'Seed of the sampling (default: as configured)' },
        step: { type: 'string', requiresArg: true, describe: 'Checkpoint of this step (default: the newest)' },
        ...BASE,
        ...DEVICE,
        revise: {
          type: 'string',
          requiresArg: true,
          default: 'always',
          describe: 'always, or selective: only answers the model itself was unsure of',
        },
        'revise-below': {
          type: 'string',
          requiresArg: true,
          default: '-0.1',
          describe: 'selective: unsure is a mean log-probability per token below this (nats)',
        },
        json: { type: 'boolean', describe: 'Print JSON' },
      },
      ['run'],
    ) as never,
  handler: async (args) => {
    const k = wholeNumbers('k', args.k);
    const step = args.step === undefined ? null : wholeNumber('step', args.step);
    const instances = args.instances === undefined ? null : wholeNumber('instances', args.instances, 1);
    const wishes = samplingWishes(args);
    const seed = args.seed === undefined ? null : wholeNumber('seed', args.seed);
    const samples = args.samples === undefined ? null : wholeNumber('samples', args.samples, 1);
    const reviseBelow = reviseThreshold(args);
    const models = savedModels(args.run, step, args.base ?? null);
    const addon = await loadEngine();
    const curves: Record<string, Curve> = {};
    for (const { name, path, config } of models) {
      const environment = openEnvironment(config);
      const sampling = evaluationSampling(config, environment, wishes);
      checkSamples(samples ?? 1, sampling.temperature, 'give a --temperature above 0, or drop --samples');
      const model = await openFolder(addon, path, { ...onDevice(config.model, args.device), base: args.base ?? null });
      curves[name] = await evaluate(
        addon,
        model,
        environment,
        {
          ...sampling,
          k,
          instances: instances ?? config.evaluation.finalInstances,
          samples: samples ?? (sampling.temperature === 0 ? 1 : config.evaluation.samples),
          seed: seed ?? config.seed,
          reviseBelow,
        },
        config.rollout,
      );
      model.close();
    }
    if (args.json) process.stdout.write(`${JSON.stringify(curves)}\n`);
    else {
      if (models.length > 1) process.stdout.write(`${formatCurves(curves)}\n\n`);
      const details = Object.entries(curves).map(([name, curve]) => `${name}\n${formatCurve(curve)}\n`);
      process.stdout.write(details.join('\n'));
    }
  },
};

/** The threshold of selective revision; null: always revise. */
function reviseThreshold({ revise, 'revise-below': text }: Arguments): number | null {
  if (revise === 'always') return null;
  if (revise !== 'selective') {
    throw new UsageError(
      `--revise ${revise}: expected always or selective${suggestion(revise, ['always', 'selective'])}`,
    );
  }
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value > 0) {
    throw new UsageError(`--revise-below ${text}: expected a number of at most 0 (a log-probability), like -0.1`);
  }
  return value;
}
