// Files that belong to a model beside its weights and config.json. They travel with it byte for byte.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolder, onDisk, writeAtomically } from '../runs/files.ts';

export const GENERATION_CONFIG = 'generation_config.json';

/** How tokenizers of the supported families are stored: fast ones, byte-level BPE, sentencepiece, Mistral's own. */
const TOKENIZER = [
  /^tokenizer(_config)?\.json$/,
  /^(special_tokens_map|added_tokens|vocab|tekken)\.json$/,
  /^(vocab|merges)\.txt$/,
  /^(tokenizer|spiece|sentencepiece\.bpe)\.model(\.v\d+\w*)?$/,
];
const TEMPLATE = [/^chat_template\.(jinja|json)$/];
const TEMPLATE_FOLDER = 'additional_chat_templates';

export interface Companion {
  /** Path in the folder. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const matches = (patterns: readonly RegExp[], name: string): boolean => patterns.some((pattern) => pattern.test(name));

export const isTokenizerFile = (name: string): boolean => matches(TOKENIZER, name);
export const isTemplateFile = (name: string): boolean =>
  matches(TEMPLATE, name) || name.startsWith(`${TEMPLATE_FOLDER}/`);

/** Names of the companions that a folder has. */
export function companionNames(folder: string): string[] {
  const list = (path: string): string[] => onDisk('read the folder', path, () => readdirSync(path)).sort();
  const own = list(folder).filter(
    (name) => name === GENERATION_CONFIG || isTokenizerFile(name) || isTemplateFile(name),
  );
  const templates = join(folder, TEMPLATE_FOLDER);
  const more = existsSync(templates) ? list(templates).filter((name) => name.endsWith('.jinja')) : [];
  return [...own, ...more.map((name) => `${TEMPLATE_FOLDER}/${name}`)];
}

/** Reads them, so that they outlive the folder (an old checkpoint is deleted when newer ones are there). */
export const readCompanions = (folder: string): Companion[] =>
  companionNames(folder).map((name) => {
    const path = join(folder, name);
    return { name, bytes: onDisk('read', path, () => readFileSync(path)) };
  });

export function writeCompanions(folder: string, companions: readonly Companion[]): void {
  for (const { name, bytes } of companions) {
    makeFolder(dirname(join(folder, name)));
    writeAtomically(join(folder, name), bytes);
  }
}
