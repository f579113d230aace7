// The alphabet in which byte-level vocabularies spell bytes (GPT-2): a printable Latin-1 character stands for itself,
// the characters from U+0100 on for the other 68 bytes.

/** `CHARACTERS[byte]` is the character of that byte. */
export const CHARACTERS: readonly string[] = alphabet();

/** The other way round; keys are UTF-16 code units. */
export const BYTES: ReadonlyMap<number, number> = new Map(CHARACTERS.map((c, byte) => [c.charCodeAt(0), byte]));

function alphabet(): string[] {
  let next = 256;
  const printable = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

/** Text with its UTF-8 bytes spelt in the alphabet. */
export function spell(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) out += CHARACTERS[byte]!;
  return out;
}

/** The bytes a vocabulary entry stands for; one with other characters (an added token) stands for its own UTF-8. */
export function unspell(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTES.get(token.charCodeAt(i));
    if (byte === undefined) return Buffer.from(token, 'utf8');
    bytes[i] = byte;
  }
  return bytes;
}
