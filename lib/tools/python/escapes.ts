// Backslashes in Python's text literals.
import { NotACall } from './not-a-call.ts';

const NAMED: Readonly<Record<string, string>> = {
  ...{ n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' },
  ...{ '\\': '\\', "'": "'", '"': '"', '\n': '' },
};

const ESCAPE = /\\(?:u([\da-fA-F]{4})|U([\da-fA-F]{8})|x([\da-fA-F]{2})|([0-7]{1,3})|([\s\S]))/gu;

/** What stands between the quotes, read; an unknown escape keeps its backslash. */
export function unescaped(text: string): string {
  return text.replace(
    ESCAPE,
    (whole: string, four?: string, eight?: string, two?: string, octal?: string, c?: string) => {
      const hex = four ?? eight ?? two;
      if (hex !== undefined) return character(Number.parseInt(hex, 16));
      if (octal !== undefined) return character(Number.parseInt(octal, 8));
      if (/[uUxN]/.test(c!)) throw new NotACall(`(unicode error) 'unicodeescape' codec can't decode bytes: \\${c}`);
      return Object.hasOwn(NAMED, c!) ? NAMED[c!]! : whole;
    },
  );
}

function character(code: number): string {
  if (code > 0x10ffff)
    throw new NotACall("(unicode error) 'unicodeescape' codec can't decode bytes: illegal Unicode character");
  return String.fromCodePoint(code);
}
