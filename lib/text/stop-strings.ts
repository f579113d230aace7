// Stop strings are text: where one begins and ends inside of tokens is found while the tokens come in.
import { UserError } from '../errors.ts';
import type { DecodeOptions, DecodeStream, Tokenizer } from './tokenizer.ts';

export interface Stopped {
  /** Which of the stop strings. */
  readonly stop: string;
  /** Length of the text before it, in UTF-16 code units. */
  readonly textLength: number;
  /** Tokens up to and with the one that completed it: what was sampled. */
  readonly tokens: number;
  /** Tokens that lie wholly before it: what is left when it is cut off. */
  readonly tokensBefore: number;
}

/**
 * Decodes one answer token by token and ends it at the first stop string: the one that begins first among those that a
 * token completes, the longest of those. Text that could be the beginning of a stop string is held back.
 */
export class StopStream {
  private readonly stops: readonly string[];
  private readonly stream: DecodeStream;
  private held = '';
  private given = 0;
  private tokens = 0;
  /** Pairs of a token count and the length of its text, where no character lies across. */
  private readonly borders: [tokens: number, length: number][] = [[0, 0]];
  private found: Stopped | null = null;

  /** Throws a `UserError` for an empty stop string. */
  constructor(tokenizer: Tokenizer, stops: readonly string[], options: DecodeOptions = {}) {
    if (stops.some((stop) => stop === '')) throw new UserError('a stop string must not be empty');
    this.stops = stops;
    this.stream = tokenizer.decodeStream(options);
  }

  /** Null until a stop string is complete; tokens after that are ignored. */
  get stopped(): Stopped | null {
    return this.found;
  }

  /** The text that is certain now. */
  push(id: number): string {
    if (this.found !== null) return '';
    this.tokens++;
    this.held += this.stream.push(id);
    if (!this.stream.pending) this.borders.push([this.tokens, this.given + this.held.length]);
    return this.give(false);
  }

  /** What was held back, when there are no more tokens. */
  end(): string {
    if (this.found !== null) return '';
    this.held += this.stream.end();
    return this.give(true);
  }

  private give(last: boolean): string {
    const match = this.firstStop();
    if (match === null) return this.release(last ? this.held.length : this.held.length - this.uncertain());
    const textLength = this.given + match.at;
    const before = this.borders.findLast(([, length]) => length <= textLength)!;
    this.found = { stop: match.stop, textLength, tokens: this.tokens, tokensBefore: before[0] };
    return this.release(match.at);
  }

  private release(length: number): string {
    const text = this.held.slice(0, length);
    this.held = this.held.slice(length);
    this.given += length;
    return text;
  }

  private firstStop(): { stop: string; at: number } | null {
    let first: { stop: string; at: number } | null = null;
    for (const stop of this.stops) {
      const at = this.held.indexOf(stop);
      if (at < 0) continue;
      if (first === null || at < first.at || (at === first.at && stop.length > first.stop.length)) first = { stop, at };
    }
    return first;
  }

  /** Length of the end of the text that could begin a stop string. */
  private uncertain(): number {
    let most = 0;
    for (const stop of this.stops) {
      for (let n = Math.min(stop.length - 1, this.held.length); n > most; n--) {
        if (this.held.endsWith(stop.slice(0, n))) most = n;
      }
    }
    return most;
  }
}
