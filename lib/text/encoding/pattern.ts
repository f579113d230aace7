// Patterns of tokenizer.json are Oniguruma's; this turns the part of its language that tokenizers use into
// JavaScript's. What differs: \s, \w, \d and \h mean other sets, there is no (?i:...) and no possessive quantifier,
// and only \n ends a line.
import { UserError } from '../../errors.ts';

const SETS: Readonly<Record<string, string>> = {
  s: '\\p{White_Space}',
  d: '\\p{Nd}',
  h: '0-9a-fA-F',
  w: '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}',
};
const WORD = `[${SETS['w']}]`;
const ANCHORS: Readonly<Record<string, string>> = {
  A: '(?<![^])',
  z: '(?![^])',
  Z: '(?!\\n?[^])',
  b: `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`,
  B: `(?:(?<=${WORD})(?=${WORD})|(?<!${WORD})(?!${WORD}))`,
};
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7, e: 27, 0: 0 };
/** Code points beyond upper and lower case that fold to an ASCII letter. */
const FOLDS: Readonly<Record<string, string>> = { s: '\u017f', k: '\u212a' };
const OPENINGS = ['(?:', '(?=', '(?!', '(?<=', '(?<!'];

/** A global regular expression that matches what the Oniguruma pattern `source` does. `where` is for messages. */
export function compilePattern(source: string, where: string): RegExp {
  const translated = new Translator(source, where).translate();
  try {
    return new RegExp(translated, 'gu');
  } catch (error) {
    throw new UserError(`${where} is not a valid pattern: ${(error as Error).message}`, { cause: error });
  }
}

/** A global regular expression that matches `text` itself. */
export function literalPattern(text: string): RegExp {
  return new RegExp(Array.from(text, (c) => literal(c.codePointAt(0)!)).join(''), 'gu');
}

function literal(code: number): string {
  const c = String.fromCodePoint(code);
  return /[\p{L}\p{N} ]/u.test(c) ? c : `\\u{${code.toString(16)}}`;
}

class Translator {
  private readonly source: string;
  private readonly where: string;
  private position = 0;
  private atomics = 0;
  private depth = 0;

  constructor(source: string, where: string) {
    this.source = source;
    this.where = where;
  }

  translate(): string {
    const out = this.alternatives(false);
    if (this.position < this.source.length) throw this.unsupported('an unmatched )');
    return out;
  }

  private alternatives(fold: boolean): string {
    if (++this.depth > 100) throw this.unsupported('groups nested deeper than 100');
    let out = '';
    const folded = this.eat('(?i)') || fold;
    while (this.position < this.source.length && !this.at(')')) {
      out += this.eat('|') ? '|' : this.quantified(this.atom(folded));
    }
    this.depth--;
    return out;
  }

  private atom(fold: boolean): string {
    if (this.at('(')) return this.group(fold);
    if (this.eat('[')) return this.set(fold);
    if (this.eat('.')) return '[^\\n]';
    if (this.eat('^')) return '(?<![^\\n])';
    if (this.eat('$')) return '(?![^\\n])';
    if (/^[*+?]/.test(this.rest())) throw this.unsupported('a quantifier that follows nothing');
    if (this.eat('\\')) return this.escape(fold);
    return folded(this.next(), fold);
  }

  private group(fold: boolean): string {
    const opening = OPENINGS.find((candidate) => this.eat(candidate));
    let out: string;
    if (opening !== undefined) out = `${opening}${this.alternatives(fold)})`;
    else if (this.eat('(?i:')) out = `(?:${this.alternatives(true)})`;
    else if (this.eat('(?>')) out = this.atomic(this.alternatives(fold));
    else if (this.at('(?')) throw this.unsupported(this.source.slice(this.position, this.position + 4));
    else {
      this.eat('(');
      out = `(?:${this.alternatives(fold)})`;
    }
    if (!this.eat(')')) throw this.unsupported('a group that is not closed');
    return out;
  }

  private quantified(atom: string): string {
    const match = /^(?:[*+?]|\{(\d*)(,?)(\d*)\})/.exec(this.rest());
    if (match === null || match[0] === '{}' || match[0] === '{,}') return atom;
    this.position += match[0].length;
    const [text, low, comma, high] = match;
    const quantifier = text.startsWith('{') ? `{${low || 0}${comma}${high}}` : text;
    if (this.eat('?')) return `${atom}${quantifier}?`;
    if (!this.at('+')) return `${atom}${quantifier}`;
    if (text.startsWith('{')) throw this.unsupported('a + after {...}');
    this.position++;
    return this.atomic(`${atom}${quantifier}`);
  }

  /** Matches `inner` without ever going back into it. */
  private atomic(inner: string): string {
    const name = `atomic${this.atomics++}`;
    return `(?:(?=(?<${name}>${inner}))\\k<${name}>)`;
  }

  private escape(fold: boolean): string {
    const letter = this.source[this.position] ?? '';
    const anchor = ANCHORS[letter];
    if (anchor !== undefined) {
      this.position++;
      return anchor;
    }
    const positive = SETS[letter.toLowerCase()];
    if (positive !== undefined) {
      this.position++;
      return letter in SETS ? `[${positive}]` : `[^${positive}]`;
    }
    if (/[pP]/.test(letter)) return this.property(fold);
    return folded(this.code(), fold);
  }

  /** The inside of [...], after the opening bracket. */
  private set(fold: boolean): string {
    let out = this.eat('^') ? '[^' : '[';
    if (this.at(']')) throw this.unsupported('an empty [...]');
    while (!this.eat(']')) {
      if (this.at('[')) throw this.unsupported('a set inside [...]');
      if (this.at('&&')) throw this.unsupported('&& inside [...]');
      const low = this.member(fold);
      if (typeof low === 'string') out += low;
      else if (this.at('-') && this.source[this.position + 1] !== ']') {
        this.position++;
        const high = this.member(fold);
        if (typeof high === 'string') throw this.unsupported('a range that ends in a set');
        out += this.range(low, high, fold);
      } else out += fold ? caseVariants(low).map(literal).join('') : literal(low);
    }
    return `${out}]`;
  }

  /** A code point, or the text of a set. */
  private member(fold: boolean): number | string {
    if (this.position >= this.source.length) throw this.unsupported('a [ that is not closed');
    if (!this.eat('\\')) return this.next();
    const letter = this.source[this.position] ?? '';
    if (letter in SETS) {
      this.position++;
      return SETS[letter]!;
    }
    if (letter === 'S' || letter === 'D') {
      this.position++;
      return SETS[letter.toLowerCase()]!.replace('p', 'P');
    }
    return /[pP]/.test(letter) ? this.property(fold) : this.code();
  }

  private range(low: number, high: number, fold: boolean): string {
    const text = `${literal(low)}-${literal(high)}`;
    if (!fold) return text;
    const ends = String.fromCodePoint(low, high);
    const [first, last] = [ends[0]!.toLowerCase(), ends[1]!.toLowerCase()];
    if (/^(?:[a-z]{2}|[A-Z]{2})$/.test(ends)) {
      const beyond = Object.entries(FOLDS).map(([c, other]) => (first <= c && c <= last ? other : ''));
      return `${first}-${last}${first.toUpperCase()}-${last.toUpperCase()}${beyond.join('')}`;
    }
    if (/^[0-9]{2}$/.test(ends)) return text;
    throw this.unsupported(`the range ${text} without regard to case`);
  }

  private property(fold: boolean): string {
    const match = /^([pP])\{(\^?)([A-Za-z_ ]+)\}/.exec(this.rest());
    if (match === null) throw this.unsupported('a \\p without {Name}');
    this.position += match[0].length;
    const [, letter, hat, name] = match;
    if (fold && /^(?:L[ult]|Upper|Lower)/.test(name!)) throw this.unsupported(`\\p{${name}} without regard to case`);
    const negative = (letter === 'P') !== (hat === '^');
    for (const property of [name, `Script=${name}`]) {
      try {
        new RegExp(`\\p{${property}}`, 'u');
        return `\\${negative ? 'P' : 'p'}{${property}}`;
      } catch {}
    }
    throw this.unsupported(`\\p{${name}}`);
  }

  /** The code point that follows a backslash. */
  private code(): number {
    const hex = /^(?:x\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(this.rest());
    if (hex !== null) {
      this.position += hex[0].length;
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16);
      if (code > 0x10ffff) throw this.unsupported(`\\${hex[0]}`);
      return code;
    }
    if (this.position >= this.source.length) throw this.unsupported('a \\ that ends it');
    const code = this.next();
    const c = String.fromCodePoint(code);
    if (c in CONTROLS) return CONTROLS[c]!;
    if (/[A-Za-z0-9]/.test(c)) throw this.unsupported(`\\${c}`);
    return code;
  }

  private next(): number {
    const code = this.source.codePointAt(this.position)!;
    this.position += code > 0xffff ? 2 : 1;
    return code;
  }

  private rest(): string {
    return this.source.slice(this.position);
  }

  private at(text: string): boolean {
    return this.source.startsWith(text, this.position);
  }

  private eat(text: string): boolean {
    if (!this.at(text)) return false;
    this.position += text.length;
    return true;
  }

  private unsupported(what: string): UserError {
    return new UserError(
      `${this.where} has ${what}, which is not supported: ${JSON.stringify(this.source.slice(0, 200))}`,
    );
  }
}

function folded(code: number, fold: boolean): string {
  if (!fold) return literal(code);
  const variants = caseVariants(code);
  return variants.length === 1 ? literal(code) : `[${variants.map(literal).join('')}]`;
}

function caseVariants(code: number): number[] {
  const c = String.fromCodePoint(code);
  const variants = [c, c.toLowerCase(), c.toUpperCase(), FOLDS[c.toLowerCase()] ?? c];
  return [...new Set(variants.filter((v) => Array.from(v).length === 1).map((v) => v.codePointAt(0)!))];
}
