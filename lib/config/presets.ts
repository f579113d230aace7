// Presets are configuration files that ship with the package.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { suggestion, UsageError } from '../errors.ts';
import { loadConfig, parseConfig } from './load.ts';
import { PAPER, paperPreset } from './paper.ts';
import { packageRoot } from './root.ts';
import type { Config } from './schema.ts';

const folder = (): string => join(packageRoot(), 'lib', 'config', 'presets');

/** Names for --preset. */
export const presetNames = (): string[] =>
  readdirSync(folder())
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();

/** Reads and checks a preset, one of the paper's (paper/math-exit) included. */
export function loadPreset(name: string, set: readonly string[] = []): Config {
  if (!name.startsWith(PAPER)) return loadConfig(presetFile(name), set);
  return parseConfig({ name: `preset ${name}`, text: stringify(paperPreset(name)), set, generated: true });
}

/** The file of a preset. */
export function presetFile(name: string): string {
  const names = presetNames();
  if (!names.includes(name)) {
    throw new UsageError(`unknown preset "${name}"${suggestion(name, names)}; there are: ${names.join(', ')}`);
  }
  return join(folder(), `${name}.yaml`);
}
