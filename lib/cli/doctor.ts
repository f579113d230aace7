// exit-rl doctor: is everything here that training needs?
import type { CommandModule } from 'yargs';
import { environmentFacts } from '../runs/facts.ts';
import { loadEngine } from './engine.ts';
import { declare } from './options.ts';

export const doctor: CommandModule<object, { json?: boolean }> = {
  command: 'doctor',
  describe: 'Show what the native engine found on this machine and check its kernels',
  builder: (argv) => declare('doctor', argv, { json: { type: 'boolean', describe: 'Print JSON' } }) as never,
  handler: async (args) => {
    const addon = await loadEngine();
    const engine = addon.doctor();
    const report = {
      ...environmentFacts(engine),
      simdAvailable: engine.simdAvailable,
      simdFailures: engine.simdFailures,
    };
    if (args.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else {
      const rows = Object.entries(report).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(' ') || 'none' : String(value),
      ]);
      process.stdout.write(`${rows.map(([name, value]) => `${name!.padEnd(14)} ${value}`).join('\n')}\n`);
    }
    if (engine.simdFailures.length > 0) {
      process.stderr.write(`exit-rl: kernels failed their self check: ${engine.simdFailures.join(', ')}\n`);
      process.exitCode = 1;
    }
  },
};
