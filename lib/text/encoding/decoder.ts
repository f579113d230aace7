// `decoder` of tokenizer.json: tokens back into text, token by token. What `decode` gives for a whole sequence is the
// concatenation of what a stream gives for its tokens, for every decoder and every sequence.
import { unspell } from './byte-alphabet.ts';
import type { Fields } from '../fields.ts';
import { patternOf } from './normalizer.ts';
import { literalPattern } from './pattern.ts';
import { metaspaceSettings } from './pre-tokenizer.ts';

/** Decodes one sequence. Text that later tokens could still change is held back. */
export interface TextStream {
  push(token: string): string;
  /** What was held back; incomplete UTF-8 becomes U+FFFD. */
  end(): string;
  /** Whether something is held back. */
  readonly pending: boolean;
}

export type Decoder = () => TextStream;

const SUPPORTED = ['ByteLevel', 'Sequence', 'Replace', 'ByteFallback', 'Fuse', 'Strip', 'Metaspace'] as const;

/** Throws a `UserError` for types that decoders do not use (WordPiece, BPEDecoder, CTC, ...). */
export function compileDecoder(fields: Fields | null): Decoder {
  if (fields === null) return () => new JoinedStream();
  const steps = flatten(fields, 0);
  if (steps.some((step) => step.string('type') === 'ByteLevel')) {
    if (steps.length > 1) throw fields.error('decoders', 'combines ByteLevel with others, which is not supported');
    return () => new ByteStream();
  }
  const fuse = steps.findIndex((step) => step.string('type') === 'Fuse');
  const before = (fuse < 0 ? steps : steps.slice(0, fuse)).map(tokenStep);
  const after = (fuse < 0 ? [] : steps.slice(fuse + 1)).map((step) => {
    const type = step.string('type');
    if (type === 'Strip') return strip(step);
    if (type !== 'Fuse') throw step.error('type', `"${type}" after Fuse is not supported`);
    return null;
  });
  const strips = after.filter((step) => step !== null);
  if (strips.length > 1) throw fields.error('decoders', 'has more than one Strip after Fuse, which is not supported');
  return () =>
    new StepStream(
      before.map((make) => make()),
      strips[0] ?? null,
    );
}

function flatten(fields: Fields, depth: number): Fields[] {
  if (fields.choice('type', SUPPORTED) !== 'Sequence') return [fields];
  if (depth > 16) throw fields.error('decoders', 'is nested deeper than 16');
  return fields.objects('decoders').flatMap((step) => flatten(step, depth + 1));
}

/** No decoder: tokens with spaces between. */
class JoinedStream implements TextStream {
  readonly pending = false;
  private first = true;

  push(token: string): string {
    const text = this.first ? token : ` ${token}`;
    this.first = false;
    return text;
  }

  end(): string {
    return '';
  }
}

/** Tokens spell bytes (see byte-alphabet.ts). */
class ByteStream implements TextStream {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private missing = 0;

  push(token: string): string {
    const bytes = unspell(token);
    this.missing = missingBytes(bytes, this.missing);
    return this.decoder.decode(bytes, { stream: true });
  }

  end(): string {
    this.missing = 0;
    return this.decoder.decode();
  }

  get pending(): boolean {
    return this.missing > 0;
  }
}

/** How many bytes the last character of `bytes` still lacks, when the text before it lacked `missing`. */
function missingBytes(bytes: Uint8Array, missing: number): number {
  let lacking = missing;
  for (const byte of bytes) {
    if (byte < 0x80) lacking = 0;
    else if (byte < 0xc0) lacking = Math.max(0, lacking - 1);
    else lacking = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : byte < 0xf8 ? 3 : 0;
  }
  return lacking;
}

/** One step of a decoder; gets and gives tokens. */
interface Step {
  push(token: string): string[];
  end(): string[];
  readonly pending: boolean;
}

type MakeStep = () => Step;

function tokenStep(fields: Fields): MakeStep {
  switch (fields.string('type')) {
    case 'Replace': {
      const [pattern, content] = [patternOf(fields), fields.string('content')];
      return stateless((token) => token.replace(pattern, () => content));
    }
    case 'Strip': {
      const { content, start, stop } = strip(fields);
      return stateless((token) => {
        const from = leading(token, content, start);
        return token.slice(from, token.length - trailing(token.slice(from), content, stop));
      });
    }
    case 'Metaspace': {
      const { replacement, scheme } = metaspaceSettings(fields);
      const pattern = literalPattern(replacement);
      return () => {
        let first = scheme !== 'never';
        return {
          pending: false,
          push: (token) => {
            const space = first ? '' : ' ';
            first = false;
            return [token.replace(pattern, space)];
          },
          end: () => [],
        };
      };
    }
    default:
      return () => new ByteFallback();
  }
}

const stateless = (change: (token: string) => string): MakeStep => {
  const changed = new Map<string, string[]>();
  const push = (token: string): string[] => {
    const known = changed.get(token);
    if (known !== undefined) return known;
    const tokens = [change(token)];
    changed.set(token, tokens);
    return tokens;
  };
  const step: Step = { pending: false, push, end: () => [] };
  return () => step;
};

/** Turns runs of <0x..> into text: all of a run, or U+FFFD for each of its bytes where the run is not valid UTF-8. */
class ByteFallback implements Step {
  private run: number[] = [];

  push(token: string): string[] {
    const byte = token.length === 6 ? /^<0x([0-9a-fA-F]{2})>$/.exec(token) : null;
    if (byte === null) return this.run.length === 0 ? [token] : [...this.end(), token];
    this.run.push(Number.parseInt(byte[1]!, 16));
    return [];
  }

  end(): string[] {
    if (this.run.length === 0) return [];
    const bytes = Uint8Array.from(this.run);
    this.run = [];
    try {
      return [new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)];
    } catch {
      return ['\ufffd'.repeat(bytes.length)];
    }
  }

  get pending(): boolean {
    return this.run.length > 0;
  }
}

interface Strip {
  readonly content: string;
  readonly start: number;
  readonly stop: number;
}

function strip(fields: Fields): Strip {
  const content = fields.string('content');
  if (content.length !== 1) throw fields.error('content', 'must be one character');
  return { content, start: fields.count('start', 1024, 0), stop: fields.count('stop', 1024, 0) };
}

function leading(text: string, content: string, most: number): number {
  let n = 0;
  while (n < most && text[n] === content) n++;
  return n;
}

function trailing(text: string, content: string, most: number): number {
  let n = 0;
  while (n < most && n < text.length && text[text.length - 1 - n] === content) n++;
  return n;
}

/** Steps on tokens, then the text they make; `strip` takes characters off the two ends of the whole text. */
class StepStream implements TextStream {
  private readonly steps: readonly Step[];
  private readonly strip: Strip;
  private started: boolean;
  private stripped = 0;
  private tail = '';

  constructor(steps: readonly Step[], strip: Strip | null) {
    this.steps = steps;
    this.strip = strip ?? { content: '', start: 0, stop: 0 };
    this.started = this.strip.start === 0;
  }

  push(token: string): string {
    let tokens = [token];
    for (const step of this.steps) {
      tokens = tokens.length === 1 ? step.push(tokens[0]!) : tokens.flatMap((one) => step.push(one));
    }
    return this.give(tokens.length === 1 ? tokens[0]! : tokens.join(''), false);
  }

  end(): string {
    let tokens: string[] = [];
    for (const step of this.steps) tokens = [...tokens.flatMap((one) => step.push(one)), ...step.end()];
    return this.give(tokens.join(''), true);
  }

  get pending(): boolean {
    return this.tail !== '' || this.steps.some((step) => step.pending);
  }

  private give(added: string, last: boolean): string {
    const { content, start, stop } = this.strip;
    let text = added;
    if (!this.started) {
      const n = leading(text, content, start - this.stripped);
      this.stripped += n;
      this.started = this.stripped === start || text.length > n;
      text = text.slice(n);
    }
    if (stop === 0) return text;
    text = this.tail + text;
    const held = trailing(text, content, stop);
    this.tail = last ? '' : text.slice(text.length - held);
    return text.slice(0, text.length - held);
  }
}
