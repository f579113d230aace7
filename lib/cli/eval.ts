// exit-rl eval: held-out quality after k self-iteration steps.
import type { CommandModule } from 'yargs';
import { createEnvironment } from '../environments/create.ts';
import { type Curve, evaluate } from '../evaluation/evaluate.ts';
import { formatCurve, formatCurves } from '../evaluation/table.ts';
import { savedModels } from './checkpoints.ts';
import { loadEngine } from './engine.ts';
import { declare, nonNegative, wholeNumber, wholeNumbers } from './options.ts';

interface Arguments {
  run: string;
  k: string;
  instances?: string;
  temperature?: string;
  seed?: string;
  step?: string;
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
        temperature: { type: 'string', requiresArg: true, describe: '0: greedy (default: as configured)' },
        seed: { type: 'string', requiresArg: true, describe: 'Seed of the sampling (default: as configured)' },
        step: { type: 'string', requiresArg: true, describe: 'Checkpoint of this step (default: the newest)' },
        json: { type: 'boolean', describe: 'Print JSON' },
      },
      ['run'],
    ) as never,
  handler: async (args) => {
    const k = wholeNumbers('k', args.k);
    const step = args.step === undefined ? null : wholeNumber('step', args.step);
    const instances = args.instances === undefined ? null : wholeNumber('instances', args.instances, 1);
    const temperature = args.temperature === undefined ? null : nonNegative('temperature', args.temperature);
    const seed = args.seed === undefined ? null : wholeNumber('seed', args.seed);
    const models = savedModels(args.run, step);
    const addon = await loadEngine();
    const curves: Record<string, Curve> = {};
    for (const { name, path, config } of models) {
      const model = await addon.loadModel(path);
      curves[name] = await evaluate(addon, model, createEnvironment(config.environment), {
        k,
        instances: instances ?? config.evaluation.finalInstances,
        temperature: temperature ?? config.evaluation.temperature,
        seed: seed ?? config.seed,
      });
      model.close();
    }
    if (args.json) process.stdout.write(`${JSON.stringify(curves)}\n`);
    else if (models.length > 1) process.stdout.write(`${formatCurves(curves)}\n`);
    else for (const [name, curve] of Object.entries(curves)) process.stdout.write(`${name}\n${formatCurve(curve)}\n`);
  },
};
