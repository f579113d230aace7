// exit-rl doctor: is everything here that training needs?
import type { CommandModule } from 'yargs';
import type { Doctor } from '../native/addon.ts';
import { environmentFacts } from '../runs/facts.ts';
import { type BackendReport, probeBackends } from '../sandbox/available.ts';
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
      cuda: engine.cuda,
      sandboxes: await probeBackends(),
    };
    if (args.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else {
      const { cuda, sandboxes, ...rest } = report;
      const rows = Object.entries(rest).map(([name, value]) => [
        name,
        Array.isArray(value) ? value.join(' ') || 'none' : String(value),
      ]);
      for (const line of cudaLines(cuda)) rows.push(['cuda', line]);
      for (const line of sandboxes.map(sandboxLine)) rows.push(['sandbox', line]);
      process.stdout.write(`${rows.map(([name, value]) => `${name!.padEnd(14)} ${value}`).join('\n')}\n`);
    }
    if (engine.simdFailures.length > 0) {
      process.stderr.write(`exit-rl: kernels failed their self check: ${engine.simdFailures.join(', ')}\n`);
      process.exitCode = 1;
    }
  },
};

/** What the CUDA plugin found, or why there is none. */
function cudaLines({ version, path, reason, devices }: Doctor['cuda']): string[] {
  if (version === null) return [`none: ${reason}`];
  if (reason !== '') return [`plugin ${path}: ${reason}`];
  const found = devices.flatMap(({ name, note, compute, memoryBytes, freeBytes, driver, runtime, libraries }, i) => [
    `${i}: ${name}, compute capability ${compute / 10}, ${gigabytes(memoryBytes)} (${gigabytes(freeBytes)} free), ` +
      `driver for CUDA ${cudaVersion(driver)}, runtime ${cudaVersion(runtime)}${note === '' ? '' : `; cannot be used: ${note}`}`,
    ...libraries.map((line) => `   ${line}`),
  ]);
  return [`plugin ${path}, version ${version}`, ...found];
}

/** Whether programs can be run in it, found out by running one. */
const sandboxLine = ({ name, works, note }: BackendReport): string =>
  works ? `${name}: works (${note})` : `${name}: ${note}`;

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
const cudaVersion = (n: number): string => `${Math.floor(n / 1000)}.${Math.floor((n % 1000) / 10)}`;
