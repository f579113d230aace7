// Presets are configuration files that ship with the package.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suggestion, UsageError } from '../errors.ts';
import { packageRoot } from './root.ts';

const folder = (): string => join(packageRoot(), 'lib', 'config', 'presets');

/** Names for --preset. */
export const presetNames = (): string[] =>
  readdirSync(folder())
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();

/** The file of a preset. */
export function presetFile(name: string): string {
  const names = presetNames();
  if (!names.includes(name)) {
    throw new UsageError(`unknown preset "${name}"${suggestion(name, names)}; there are: ${names.join(', ')}`);
  }
  return join(folder(), `${name}.yaml`);
}
