// exit-rl bench: the benchmarks of a working copy.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from 'yargs';
import { packageRoot } from '../config/root.ts';
import { UserError } from '../errors.ts';

export const bench: CommandModule = {
  command: 'bench [arguments..]',
  describe: 'Run the benchmarks; what follows is handed to them',
  // Options belong to the benchmarks, so none are declared and everything is passed on.
  builder: (argv) => argv.help(false).version(false).strict(false),
  handler: () => {
    const script = join(packageRoot(), 'dist', 'bench', 'main.js');
    if (!existsSync(script)) {
      throw new UserError(
        'the benchmarks are not part of the installed package; run `npm run bench` in a clone of the repository',
      );
    }
    const after = process.argv.slice(process.argv.indexOf('bench') + 1);
    const { status } = spawnSync(process.execPath, [script, ...after], { stdio: 'inherit' });
    process.exitCode = status ?? 1;
  },
};
