// exit-rl sft: imitate conversations, or prompts and answers.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { loadSettings, parseSettings } from '../config/load.ts';
import { sftSchema } from '../config/sft.ts';
import { UsageError } from '../errors.ts';
import { environmentFacts } from '../runs/facts.ts';
import { createSftRun, openSftRun, runSft, type SftRun } from '../sft/run.ts';
import { loadEngine } from './engine.ts';
import { BASE, DEVICE, declare, onDevice, rejectBase } from './options.ts';
import { Progress } from './progress.ts';
import { stopOnSignals } from './signals.ts';

interface Arguments {
  data?: string;
  model?: string;
  config?: string;
  set?: string[];
  out?: string;
  resume?: string;
  base?: string;
  device?: string;
  json?: boolean;
}

export const sft: CommandModule<object, Arguments> = {
  command: 'sft [data]',
  describe: 'Supervised training on conversations, or prompts and answers (JSON Lines, JSON, Arrow)',
  builder: (argv) =>
    declare(
      'sft',
      argv.positional('data', { type: 'string', describe: 'What to imitate: a .jsonl, .json, .arrow or .arrows file' }),
      {
        model: { type: 'string', requiresArg: true, describe: 'Folder of the model to start from' },
        config: { type: 'string', requiresArg: true, describe: 'Settings (YAML) instead of, or beside, the options' },
        set: { type: 'string', array: true, nargs: 1, describe: 'Override a setting: --set train.epochs=3' },
        out: { type: 'string', requiresArg: true, describe: 'Folder of the run' },
        resume: { type: 'string', requiresArg: true, describe: 'Folder of a run to go on with' },
        ...BASE,
        ...DEVICE,
        json: { type: 'boolean', describe: 'Print the result as JSON' },
      },
      ['data'],
    ) as never,
  handler: async (args) => {
    const addon = await loadEngine();
    const { resume, base = null } = args;
    const run =
      resume === undefined ? started(args, environmentFacts(addon.doctor())) : resumed(resume, base, args.device);
    const progress = new Progress();
    const result = await runSft(addon, run, progress, stopOnSignals()).finally(() => progress.end());
    if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
    else {
      const loss = result.heldOutLoss === null ? '' : `; held-out loss ${result.heldOutLoss.toFixed(4)} nats per token`;
      process.stdout.write(`${result.steps} steps${loss}; model: ${result.model}\n`);
    }
  },
};

function resumed(path: string, base: string | null, device: string | undefined): SftRun {
  const run = openSftRun(path, base);
  return { ...run, config: { ...run.config, model: onDevice(run.config.model, device) } };
}

function started(args: Arguments, facts: Record<string, unknown>): SftRun {
  const { data, model, config, set = [], out, device } = args;
  rejectBase(args);
  if (out === undefined) throw new UsageError('give --out: the folder of the run');
  const own = [
    ...(data === undefined ? [] : [`data.train=${JSON.stringify(resolve(data))}`]),
    ...(model === undefined ? [] : [`model.path=${JSON.stringify(resolve(model))}`]),
    ...(device === undefined ? [] : [`model.device=${device}`]),
    ...set,
  ];
  const settings =
    config === undefined
      ? parseSettings(sftSchema, { name: 'sft', text: '{}', set: own, generated: true })
      : loadSettings(sftSchema, config, own);
  const { path } = settings.model;
  if (path !== null && !existsSync(join(path, 'config.json'))) {
    throw new UsageError(`model.path ${path}: no config.json there; it must be a folder with a checkpoint`);
  }
  return createSftRun(out, settings, facts);
}
