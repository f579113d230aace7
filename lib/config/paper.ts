// The settings of the method's paper, one preset per domain and strategy: paper/math-exit. A file holds a domain: what all
// strategies share and, per strategy, what differs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { suggestion, UsageError } from '../errors.ts';
import { packageRoot } from './root.ts';

export const PAPER = 'paper/';

type Settings = Readonly<Record<string, unknown>>;

interface Domain {
  readonly shared: Settings;
  readonly strategies: Readonly<Record<string, Settings>>;
}

const folder = (): string => join(packageRoot(), 'lib', 'config', 'presets', 'paper');

/** Every domain by its name. */
function domains(): [string, Domain][] {
  const files = readdirSync(folder()).filter((file) => file.endsWith('.yaml'));
  return files
    .sort()
    .map((file) => [file.slice(0, -'.yaml'.length), parse(readFileSync(join(folder(), file), 'utf8')) as Domain]);
}

/** Names for --preset. */
export const paperPresetNames = (): string[] =>
  domains().flatMap(([domain, { strategies }]) => Object.keys(strategies).map((s) => `${PAPER}${domain}-${s}`));

/** A configuration as it would stand in a file. Data: whether this version can run it is another question. */
export function paperPreset(name: string): Settings {
  for (const [domain, { shared, strategies }] of domains()) {
    for (const [strategy, own] of Object.entries(strategies)) {
      if (name === `${PAPER}${domain}-${strategy}`) return { ...merge(shared, own), strategies: [strategy] };
    }
  }
  const names = paperPresetNames();
  throw new UsageError(`unknown preset "${name}"${suggestion(name, names)}; there are: ${names.join(', ')}`);
}

const isSettings = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merge(base: Settings, changes: Settings): Settings {
  const changed = Object.entries(changes).map(([key, value]) => {
    const below = base[key];
    return [key, isSettings(value) && isSettings(below) ? merge(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(changed) };
}
