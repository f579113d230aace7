// Keeps the text of special tokens, where it comes from messages, apart from those that a template writes.

/**
 * Finds text of special tokens. What a text ends with counts too if a special token begins like it, because the next
 * text might complete it.
 */
export class SpecialGuard {
  private readonly tokens: readonly string[];
  private readonly longest: number;
  private readonly start: RegExp;

  /** `tokens`: every spelling of every special token. */
  constructor(tokens: readonly string[]) {
    this.tokens = tokens.filter((token) => token !== '');
    this.longest = this.tokens.reduce((most, { length }) => Math.max(most, length), 0);
    const units = new Set(this.tokens.map((token) => `\\u${token.charCodeAt(0).toString(16).padStart(4, '0')}`));
    this.start = units.size === 0 ? /(?!)/g : new RegExp(`[${[...units].join('')}]`, 'g');
  }

  /** Positions of the characters that begin a special token, or what could become one. */
  find(text: string): number[] {
    const solid = text.trimEnd().length;
    return Array.from(text.matchAll(this.start), ({ index }) => index).filter((i) =>
      this.tokens.some(
        (token) =>
          text.startsWith(token, i) ||
          endsAs(token, text, i, text.length, this.longest) ||
          endsAs(token, text, i, solid, this.longest),
      ),
    );
  }

  /** The text with a sentinel behind each of those characters. */
  mark(text: string, sentinel: string): string {
    let out = '';
    let end = 0;
    for (const i of this.find(text)) {
      out += text.slice(end, i + 1) + sentinel;
      end = i + 1;
    }
    return out + text.slice(end);
  }
}

/** Whether text[start, end) is the beginning of a token. */
function endsAs(token: string, text: string, start: number, end: number, longest: number): boolean {
  return end - start <= longest && end > start && token.startsWith(text.slice(start, end));
}
