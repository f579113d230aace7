// Checks of command-line values that yargs leaves as text.
import type { Argv, CommandModule } from 'yargs';
import { DEVICE_NAME } from '../config/schema.ts';
import { suggestion, UsageError } from '../errors.ts';

/** A command with the option names that exist for it. */
export interface Command extends CommandModule<object, never> {}

const GLOBAL = ['_', '$0', 'help', 'version'];
const allowed = new Map<string, readonly string[]>();
/** Options that may be given several times. */
const repeatable = new Set<string>();

type Options = Parameters<Argv['options']>[0];

/** Of commands that open what was saved. */
export const BASE = {
  base: {
    type: 'string',
    requiresArg: true,
    describe: 'Folder of the weights an adapter was trained beside, if not where it was',
  },
} as const satisfies Options;

export const DEVICE = {
  device: {
    type: 'string',
    requiresArg: true,
    describe: 'Where the model computes: cpu, cuda, cuda:N or auto (default: as configured)',
  },
} as const satisfies Options;

/** Settings of a model where --device says something else than its configuration. */
export function onDevice<M extends { readonly device: string }>(model: M, device: string | undefined): M {
  if (device === undefined) return model;
  if (!DEVICE_NAME.test(device)) throw new UsageError(`--device ${device}: expected cpu, cuda, cuda:N or auto`);
  return { ...model, device };
}

/** A new run names its model in its settings. */
export function rejectBase({ base }: { readonly base?: string }): void {
  if (base !== undefined) throw new UsageError(`--base ${base}: it goes with --resume; a new run has model.path`);
}

/** Declares options and remembers their names, so that a misspelt one gets a suggestion. */
export function declare(command: string, argv: Argv, options: Options, positionals: readonly string[] = []): Argv {
  allowed.set(command, [...Object.keys(options), ...positionals]);
  for (const [name, option] of Object.entries(options)) if (option.array) repeatable.add(`${command} ${name}`);
  return argv.options(options);
}

/** Complains about an option the command does not have, and one given twice. */
export function rejectUnknownOptions(argv: Readonly<Record<string, unknown>>): void {
  const command = String((argv['_'] as unknown[])[0] ?? '');
  const names = allowed.get(command);
  if (names === undefined) return;
  for (const name of Object.keys(argv)) {
    if (names.includes(name) || GLOBAL.includes(name)) {
      if (!Array.isArray(argv[name]) || name === '_' || repeatable.has(`${command} ${name}`)) continue;
      throw new UsageError(`exit-rl ${command}: --${name} is given more than once`);
    }
    throw new UsageError(`exit-rl ${command}: unknown option --${name}${suggestion(name, names)}`);
  }
  const extra = (argv['_'] as unknown[])[1];
  if (extra !== undefined) throw new UsageError(`exit-rl ${command}: unexpected argument "${String(extra)}"`);
}

/** A whole number at least `minimum`. */
export function wholeNumber(option: string, text: string, minimum = 0): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`--${option} ${text}: expected a whole number of at least ${minimum}`);
  }
  return value;
}

/** Whole numbers, separated by commas, in rising order. */
export function wholeNumbers(option: string, text: string): number[] {
  const values = text.split(',').map((part) => wholeNumber(option, part));
  return [...new Set(values)].sort((a, b) => a - b);
}

/** A number from 0 to `most`. */
export function nonNegative(option: string, text: string, most = Number.POSITIVE_INFINITY): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0 || value > most) {
    throw new UsageError(
      `--${option} ${text}: expected a number ${most === Number.POSITIVE_INFINITY ? 'of at least 0' : `from 0 to ${most}`}`,
    );
  }
  return value;
}

/** A number above 0, and not above `most`. */
export function positive(option: string, text: string, most = Number.POSITIVE_INFINITY): number {
  const value = nonNegative(option, text, most);
  if (value === 0) throw new UsageError(`--${option} ${text}: expected a number above 0`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** A size like 500MB or 5GB (decimal units, as other tools have them), in bytes. */
export function bytes(option: string, text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([KMGT]?B)?$/i.exec(text.trim()) ?? [];
  const value = Math.round(Number(number) * (UNITS[(unit ?? '').toUpperCase().replace(/^B$/, '')] ?? Number.NaN));
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new UsageError(`--${option} ${text}: expected a size, for example 500MB or 5GB`);
  }
  return value;
}
