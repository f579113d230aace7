// `post_processor` of tokenizer.json: the tokens put around the ids of a text.
import type { Fields } from '../fields.ts';
import { LARGEST_ID } from './vocabulary.ts';

export interface Frame {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

const SUPPORTED = ['ByteLevel', 'Sequence', 'TemplateProcessing'] as const;
const NOTHING: Frame = { before: [], after: [] };

/** Throws a `UserError` for types that decoders do not use (BertProcessing, ...). */
export function compilePostProcessor(fields: Fields | null, depth = 0): Frame {
  if (fields === null) return NOTHING;
  switch (fields.choice('type', SUPPORTED)) {
    case 'ByteLevel':
      return NOTHING;
    case 'Sequence': {
      if (depth > 16) throw fields.error('processors', 'is nested deeper than 16');
      const frames = fields.objects('processors').map((step) => compilePostProcessor(step, depth + 1));
      return frames.reduce(
        (inner, outer) => ({ before: [...outer.before, ...inner.before], after: [...inner.after, ...outer.after] }),
        NOTHING,
      );
    }
    case 'TemplateProcessing':
      return template(fields);
  }
}

function template(fields: Fields): Frame {
  const tokens = fields.object('special_tokens');
  const [before, after]: [number[], number[]] = [[], []];
  let seen = false;
  for (const part of fields.objects('single')) {
    const name = part.object('SpecialToken')?.string('id');
    if (name === undefined) {
      if (part.object('Sequence') === null || seen) throw fields.error('single', 'must have the text once');
      seen = true;
      continue;
    }
    const token = tokens?.object(name);
    if (!token) throw fields.error('single', `uses ${JSON.stringify(name)}, which special_tokens lacks`);
    for (const [i, id] of token.list('ids').entries()) {
      if (!Number.isInteger(id) || Number(id) < 0 || Number(id) > LARGEST_ID) {
        throw token.error('ids', `has a bad id at ${i}`);
      }
      (seen ? after : before).push(Number(id));
    }
  }
  if (!seen) throw fields.error('single', 'must have the text once');
  return { before, after };
}
