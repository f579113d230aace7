// `normalizer` of tokenizer.json: what is done to text before it is cut.
import type { Fields } from '../fields.ts';
import { compilePattern, literalPattern } from './pattern.ts';

export type Normalizer = (text: string) => string;

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;
const SUPPORTED = [...FORMS, 'Prepend', 'Replace', 'Strip', 'Sequence'] as const;

/** Throws a `UserError` for types that decoders do not use (Precompiled, BertNormalizer, ...). */
export function compileNormalizer(fields: Fields | null, depth = 0): Normalizer {
  if (fields === null) return (text) => text;
  const type = fields.choice('type', SUPPORTED);
  switch (type) {
    case 'Prepend': {
      const prefix = fields.string('prepend');
      return (text) => (text === '' ? '' : prefix + text);
    }
    case 'Replace': {
      const pattern = patternOf(fields);
      const content = fields.string('content');
      return (text) => text.replace(pattern, () => content);
    }
    case 'Strip': {
      const [left, right] = [fields.boolean('strip_left'), fields.boolean('strip_right')];
      return (text) => {
        const start = left ? text.replace(/^\p{White_Space}+/u, '') : text;
        return right ? start.replace(/\p{White_Space}+$/u, '') : start;
      };
    }
    case 'Sequence': {
      if (depth > 16) throw fields.error('normalizers', 'is nested deeper than 16');
      const steps = fields.objects('normalizers').map((step) => compileNormalizer(step, depth + 1));
      return (text) => steps.reduce((out, step) => step(out), text);
    }
    default:
      return (text) => text.normalize(type);
  }
}

/** `pattern`: {"String": text} or {"Regex": Oniguruma}. Global. */
export function patternOf(fields: Fields): RegExp {
  const pattern = fields.object('pattern');
  if (pattern === null) throw fields.error('pattern', 'is missing');
  if (pattern.has('Regex')) return compilePattern(pattern.string('Regex'), pattern.at('Regex'));
  const text = pattern.string('String');
  if (text === '') throw pattern.error('String', 'is empty');
  return literalPattern(text);
}
