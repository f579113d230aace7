// exit-rl config: every setting, from the schema itself.
import type { CommandModule } from 'yargs';
import { describeSettings } from '../config/describe.ts';
import { configJsonSchema } from '../config/load.ts';
import { declare } from './options.ts';

export const config: CommandModule<object, { json?: boolean }> = {
  command: 'config',
  describe: 'List the settings of a configuration file',
  builder: (argv) =>
    declare('config', argv, { json: { type: 'boolean', describe: 'Print the JSON Schema, for editors' } }) as never,
  handler: (args) => {
    if (args.json) process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    else {
      const rows = describeSettings().map(({ path, type, standard, help }) =>
        `${path}: ${type}${standard} ${help}`.trimEnd(),
      );
      process.stdout.write(`${rows.join('\n')}\n`);
    }
  },
};
