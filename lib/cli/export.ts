// exit-rl export: a trained model as a folder that other tools load.
import type { CommandModule } from 'yargs';
import { suggestion, UsageError } from '../errors.ts';
import { exportModel } from '../huggingface/export.ts';
import type { SaveAs } from '../native/addon.ts';
import { oneModel } from './checkpoints.ts';
import { loadEngine } from './engine.ts';
import { BASE, bytes, declare, wholeNumber } from './options.ts';

interface Arguments {
  from: string;
  to: string;
  dtype: string;
  'max-shard-size': string;
  step?: string;
  base?: string;
  json?: boolean;
}

const TYPES: readonly SaveAs[] = ['source', 'float32', 'bfloat16', 'float16'];

export const exportCommand: CommandModule<object, Arguments> = {
  command: 'export <from> <to>',
  describe: 'Write the model of a run or a folder as a Hugging Face folder',
  builder: (argv) =>
    declare(
      'export',
      argv
        .positional('from', { type: 'string', describe: 'Folder of a run, an arm, a checkpoint or a model' })
        .positional('to', { type: 'string', describe: 'Folder to write; it must not exist or be empty' }),
      {
        dtype: {
          type: 'string',
          requiresArg: true,
          default: 'source',
          describe: `${TYPES.join(', ')}; source: what the model was loaded from`,
        },
        'max-shard-size': {
          type: 'string',
          requiresArg: true,
          default: '5GB',
          describe: 'Larger weights are written as several files with an index',
        },
        step: { type: 'string', requiresArg: true, describe: 'Checkpoint of this step (default: the newest)' },
        ...BASE,
        json: { type: 'boolean', describe: 'Print JSON' },
      },
      ['from', 'to'],
    ) as never,
  handler: async (args) => {
    const { name, path } = oneModel(args.from, args.step === undefined ? null : wholeNumber('step', args.step));
    const maxShardBytes = bytes('max-shard-size', args['max-shard-size']);
    const settings = { dtype: saveAs(args.dtype), maxShardBytes, base: args.base ?? null };
    const { files, parameterCount } = await exportModel(await loadEngine(), path, args.to, settings);
    if (args.json) process.stdout.write(`${JSON.stringify({ from: path, to: args.to, parameterCount, files })}\n`);
    else
      process.stdout.write(`${name} (${path}), ${parameterCount} parameters -> ${args.to}\n  ${files.join('\n  ')}\n`);
  },
};

function saveAs(text: string): SaveAs {
  const found = TYPES.find((type) => type === text);
  if (found) return found;
  throw new UsageError(`--dtype ${text}: expected one of ${TYPES.join(', ')}${suggestion(text, TYPES)}`);
}
