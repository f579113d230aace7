// Text to tokens and back, as the tokenizer.json of a Hugging Face folder says.
import path from 'node:path';
import { UserError } from '../errors.ts';
import { type AddedToken, AddedTokenMatcher, nameTokens, readAddedTokens } from './encoding/added-tokens.ts';
import { BpeModel } from './encoding/bpe.ts';
import { compileDecoder, type Decoder, type TextStream } from './encoding/decoder.ts';
import { type EncodeRequest, Encoder } from './encoding/encoder.ts';
import { compileNormalizer } from './encoding/normalizer.ts';
import { compilePostProcessor, type Frame } from './encoding/post-processor.ts';
import { compilePreTokenizer } from './encoding/pre-tokenizer.ts';
import { readAddedTokensDecoder, readSpecialTokens, type SpecialTokenRole } from './encoding/special-tokens.ts';
import { Fields } from './fields.ts';
import { readFields } from './files.ts';
import { wellFormed } from './well-formed.ts';

export interface EncodeOptions {
  /** Whether text like `<|im_end|>` becomes the special token; else it is spelt like any other text. Default: false. */
  readonly allowSpecial?: boolean;
  /** Whether the tokens that the tokenizer puts around a text (bos, eos) are added. Default: false. */
  readonly addSpecialTokens?: boolean;
}

export interface DecodeOptions {
  /** Whether special tokens are left out. Default: false. */
  readonly skipSpecialTokens?: boolean;
}

/** A token at the code units [start, end) of a text. */
export interface PlacedToken {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

export interface SpecialToken {
  readonly id: number;
  readonly content: string;
}

/**
 * A byte-level or SentencePiece-like BPE tokenizer. Gives the ids and the text that Hugging Face's tokenizers give for
 * the same files, except that the text of a special token becomes that token only where `allowSpecial` says so.
 */
export class Tokenizer {
  /** Added tokens: special ones, and others that are always recognised in text (`<think>`, `<tool_call>`). */
  readonly addedTokens: readonly AddedToken[];
  /** Tokens with a role, from tokenizer_config.json. */
  readonly special: ReadonlyMap<SpecialTokenRole, SpecialToken>;
  /** One more than the largest id. A model may have more rows than that. */
  readonly vocabularySize: number;
  private readonly names: readonly (string | undefined)[];
  /** What the decoder gets for an id. */
  private readonly texts: readonly (string | undefined)[];
  private readonly vocabulary: ReadonlyMap<string, number>;
  private readonly addedIds: ReadonlyMap<string, number>;
  private readonly specialIds: ReadonlySet<number>;
  private readonly specialMatcher: AddedTokenMatcher;
  private readonly encoder: Encoder;
  private readonly decoder: Decoder;
  private readonly frame: Frame;

  /** tokenizer.json and tokenizer_config.json of a folder. Throws a `UserError` that names what is missing or wrong. */
  static load(directory: string): Tokenizer {
    const file = readFields(path.join(directory, 'tokenizer.json'));
    if (file === null) {
      throw new UserError(
        `${directory} has no tokenizer.json; save the tokenizer with transformers' save_pretrained() to get one`,
      );
    }
    const configs = ['tokenizer_config.json', 'special_tokens_map.json'].map((name) =>
      readFields(path.join(directory, name)),
    );
    return new Tokenizer(file, ...configs.filter((config) => config !== null));
  }

  /** From the parsed files. */
  static fromJson(tokenizer: unknown, config: unknown = {}): Tokenizer {
    return new Tokenizer(new Fields(tokenizer, 'tokenizer.json'), new Fields(config, 'tokenizer_config.json'));
  }

  private constructor(file: Fields, ...configs: Fields[]) {
    const preTokenizer = compilePreTokenizer(file.object('pre_tokenizer'));
    const fields = file.object('model');
    if (fields === null) throw file.error('model', 'is missing');
    const model = new BpeModel(fields, preTokenizer.byteLevel);
    const { roles, others } = readSpecialTokens(configs);
    const added = mergeAddedTokens(file, configs, model.vocabulary, [...roles.values(), ...others]);
    this.names = nameTokens(model.vocabulary, added, file.where);
    this.vocabulary = model.vocabulary;
    this.addedIds = new Map(added.map(({ content, id }) => [content, id]));
    this.addedTokens = added;
    this.specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.specialMatcher = new AddedTokenMatcher(added.filter(({ special }) => special));
    this.special = new Map(
      Array.from(roles, ([role, content]) => [role, { content, id: this.addedIds.get(content)! }] as const),
    );
    this.vocabularySize = this.names.length;
    const normalize = compileNormalizer(file.object('normalizer'));
    this.encoder = new Encoder(normalize, preTokenizer, model, added);
    // A token found in normalised text stands for normalised text.
    const texts = [...this.names];
    for (const { id, content, normalized } of added) if (normalized) texts[id] = normalize(content);
    this.texts = texts;
    this.decoder = compileDecoder(file.object('decoder'));
    this.frame = this.framed(file, configs);
  }

  /** Ids of a text. Lone surrogates are encoded as U+FFFD. */
  encode(text: string, { allowSpecial = false, addSpecialTokens = false }: EncodeOptions = {}): Int32Array {
    const ids = this.encodeRequest(text, { allowSpecial, guards: [], marks: [], first: true });
    if (!addSpecialTokens) return ids;
    const { before, after } = this.frame;
    const framed = new Int32Array(before.length + ids.length + after.length);
    framed.set(before);
    framed.set(ids, before.length);
    framed.set(after, before.length + ids.length);
    return framed;
  }

  /** `encode` with everything it can do; for chat templates. */
  encodeRequest(text: string, request: EncodeRequest): Int32Array {
    return this.encoder.encode(wellFormed(text), request);
  }

  /** Text of ids. Ids that are no tokens give nothing; invalid UTF-8 gives U+FFFD. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const stream = this.decodeStream(options);
    let text = '';
    for (const id of ids) text += stream.push(id);
    return text + stream.end();
  }

  /** Decodes ids one by one: the pieces together are what `decode` gives. */
  decodeStream({ skipSpecialTokens = false }: DecodeOptions = {}): DecodeStream {
    return new DecodeStream(this.decoder(), (id) =>
      skipSpecialTokens && this.specialIds.has(id) ? undefined : this.texts[id],
    );
  }

  /** The token as it is spelt in tokenizer.json; undefined for an id that is none. */
  token(id: number): string | undefined {
    return this.names[id];
  }

  /** The id of a token as it is spelt in tokenizer.json. */
  id(token: string): number | undefined {
    return this.addedIds.get(token) ?? this.vocabulary.get(token);
  }

  /** The texts in which special tokens are recognised. */
  specialSpellings(): string[] {
    return this.addedTokens.filter(({ special }) => special).flatMap(({ id, content }) => [content, this.texts[id]!]);
  }

  /** Special tokens spelt out in a text, except such as have a character at one of `guards`. */
  specialTokensIn(text: string, guards: readonly number[]): PlacedToken[] {
    const free = (_: AddedToken, start: number, end: number): boolean => !guards.some((at) => at >= start && at < end);
    const found = this.specialMatcher.split(text, free);
    return found.flatMap(({ token, start, end }) => (token === null ? [] : [{ id: token.id, start, end }]));
  }

  isSpecial(id: number): boolean {
    return this.specialIds.has(id);
  }

  /** add_bos_token and add_eos_token, where tokenizer_config.json has them, take the place of `post_processor`. */
  private framed(file: Fields, configs: readonly Fields[]): Frame {
    const frame = compilePostProcessor(file.object('post_processor'));
    const config = configs.find((candidate) => candidate.has('add_bos_token') || candidate.has('add_eos_token'));
    if (config === undefined) return frame;
    const wanted = (flag: string, role: SpecialTokenRole): number[] => {
      const token = this.special.get(role);
      return config.boolean(flag, false) && token !== undefined ? [token.id] : [];
    };
    return { before: wanted('add_bos_token', 'bos_token'), after: wanted('add_eos_token', 'eos_token') };
  }
}

/** What `Tokenizer.decodeStream` gives. */
export class DecodeStream {
  private readonly stream: TextStream;
  private readonly name: (id: number) => string | undefined;

  constructor(stream: TextStream, name: (id: number) => string | undefined) {
    this.stream = stream;
    this.name = name;
  }

  /** The text that is certain now: a character comes when its last byte is there. */
  push(id: number): string {
    const name = this.name(id);
    return name === undefined ? '' : this.stream.push(name);
  }

  /** What is left; incomplete UTF-8 gives U+FFFD. */
  end(): string {
    return this.stream.end();
  }

  /** Whether text of the tokens so far is held back. */
  get pending(): boolean {
    return this.stream.pending;
  }
}

/** Added tokens of tokenizer.json, those that only tokenizer_config.json has, and special tokens of the vocabulary. */
function mergeAddedTokens(
  file: Fields,
  configs: readonly Fields[],
  vocabulary: ReadonlyMap<string, number>,
  special: readonly string[],
): AddedToken[] {
  const added = new Map(readAddedTokens(file).map((token) => [token.content, token]));
  for (const token of configs.flatMap(readAddedTokensDecoder)) {
    if (!added.has(token.content)) added.set(token.content, token);
  }
  for (const content of special) {
    const known = added.get(content);
    const id = known?.id ?? vocabulary.get(content);
    if (id === undefined) {
      throw new UserError(`${configs[0]!.where} names ${JSON.stringify(content)}, which ${file.where} does not have`);
    }
    const plain = { singleWord: false, lstrip: false, rstrip: false, normalized: false };
    added.set(content, { ...(known ?? { id, content, ...plain }), special: true });
  }
  return [...added.values()];
}
