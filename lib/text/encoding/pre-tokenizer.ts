// `pre_tokenizer` of tokenizer.json: how normalised text is cut into pieces, within which symbols are merged.
import { type Fields, kind } from '../fields.ts';
import { patternOf } from './normalizer.ts';
import { compilePattern, literalPattern } from './pattern.ts';
import { SPLIT_BEHAVIOURS, type Splitter, splitter } from './split.ts';

export interface PreTokenizer {
  /** What is put before a section; `first`: it begins where the whole text does. */
  readonly prefix: (section: string, first: boolean) => string;
  readonly split: Splitter;
  /** Whether pieces are spelt in bytes. */
  readonly byteLevel: boolean;
}

const SUPPORTED = [
  'ByteLevel',
  'Digits',
  'Metaspace',
  'Punctuation',
  'Sequence',
  'Split',
  'Whitespace',
  'WhitespaceSplit',
] as const;
const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** A stage of a pre-tokenizer; some only cut, some only put something before the section. */
type Stage = Partial<PreTokenizer>;

/** Throws a `UserError` for types that decoders do not use (BertPreTokenizer, UnicodeScripts, ...). */
export function compilePreTokenizer(fields: Fields | null): PreTokenizer {
  const stages = fields === null ? [] : stagesOf(fields, 0);
  const splits = stages.map((stage) => stage.split).filter((split) => split !== undefined);
  for (const [i, stage] of stages.entries()) {
    if (stage.byteLevel && i < stages.length - 1) {
      throw fields!.error('pretokenizers', 'has a step after ByteLevel, which is not supported');
    }
    if (stage.prefix && i > 0) {
      throw fields!.error('pretokenizers', 'adds a prefix after another step, which is not supported');
    }
  }
  return {
    prefix: stages[0]?.prefix ?? ((section) => section),
    split: chain(splits),
    byteLevel: stages.at(-1)?.byteLevel ?? false,
  };
}

function chain(splits: readonly Splitter[]): Splitter {
  if (splits.length === 0) return (text) => (text === '' ? [] : [text]);
  if (splits.length === 1) return splits[0]!;
  return (text) => splits.reduce((pieces, split) => pieces.flatMap(split), [text]);
}

function stagesOf(fields: Fields, depth: number): Stage[] {
  switch (fields.choice('type', SUPPORTED)) {
    case 'ByteLevel': {
      const stage: Stage = { byteLevel: true };
      const split = splitter(compilePattern(GPT2, fields.where), 'Isolated');
      const prefix = (section: string): string => (section.startsWith(' ') ? section : ` ${section}`);
      const cuts = fields.boolean('use_regex', true) ? { split } : {};
      return [{ ...stage, ...cuts, ...(fields.boolean('add_prefix_space', true) ? { prefix } : {}) }];
    }
    case 'Digits': {
      const behaviour = fields.boolean('individual_digits', false) ? 'Isolated' : 'Contiguous';
      return [{ split: splitter(/\p{N}/gu, behaviour) }];
    }
    case 'Metaspace':
      return [metaspace(fields)];
    case 'Punctuation': {
      const behaviour = fields.choice('behavior', SPLIT_BEHAVIOURS, 'Isolated');
      return [{ split: splitter(/[\p{P}!-/:-@[-`{-~]/gu, behaviour) }];
    }
    case 'Sequence':
      if (depth > 16) throw fields.error('pretokenizers', 'is nested deeper than 16');
      return fields.objects('pretokenizers').flatMap((stage) => stagesOf(stage, depth + 1));
    case 'Split': {
      const behaviour = fields.choice('behavior', SPLIT_BEHAVIOURS);
      return [{ split: splitter(patternOf(fields), behaviour, fields.boolean('invert', false)) }];
    }
    case 'Whitespace':
      return [{ split: splitter(compilePattern('\\w+|[^\\w\\s]+', fields.where), 'Removed', true) }];
    case 'WhitespaceSplit':
      return [{ split: splitter(/\p{White_Space}/gu, 'Removed') }];
  }
}

const PREPEND_SCHEMES = ['always', 'first', 'never'] as const;
export type PrependScheme = (typeof PREPEND_SCHEMES)[number];

/** Of a Metaspace pre-tokenizer or decoder: its replacement for a space, and where one is put in front. */
export function metaspaceSettings(fields: Fields): { replacement: string; scheme: PrependScheme } {
  const replacement = fields.string('replacement', '\u2581');
  if (replacement.length !== 1) {
    throw fields.error('replacement', `must be one character, not ${kind(replacement)}`);
  }
  const older = fields.boolean('add_prefix_space', true) ? 'always' : 'never';
  return { replacement, scheme: fields.choice('prepend_scheme', PREPEND_SCHEMES, older) };
}

function metaspace(fields: Fields): Stage {
  const { replacement, scheme } = metaspaceSettings(fields);
  const prefix = (section: string, first: boolean): string => {
    const replaced = section.replaceAll(' ', () => replacement);
    const prepend = scheme === 'always' || (scheme === 'first' && first);
    return prepend && !replaced.startsWith(replacement) ? replacement + replaced : replaced;
  };
  if (!fields.boolean('split', true)) return { prefix };
  return { prefix, split: splitter(literalPattern(replacement), 'MergedWithNext') };
}
