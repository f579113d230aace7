// Random damage to JSON files: to what they mean, and to their bytes.
import type { Random } from '../../lib/rng.ts';

type Container = Record<string, unknown> | unknown[];

const PATTERNS = [
  '(',
  '[',
  'a**',
  '(?i:',
  '\\',
  '\\p{',
  '\\p{Nonsense}',
  '(?<n>a)\\1',
  '[z-a]',
  'a{9,1}',
  '(?=)',
  '()*',
  '^$',
  '',
];
const VALUES = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e30,
  4_000_000,
  '',
  'a',
  ' ',
  '\u2581',
  '\ud800',
  '<0x41>',
  [],
  {},
  [[]],
  [{}],
  ['a', 'b'],
];

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;

/** A container somewhere in the file, and one of its keys: deep ones as likely as shallow ones. */
function place(random: Random, root: Container): [Container, string] | null {
  let at = root;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return null;
    const key = random.pick(keys);
    const inner = (at as Record<string, unknown>)[key];
    if (!isContainer(inner) || random.chance(0.3)) return [at, key];
    at = inner;
  }
}

function damage(random: Random, root: Container): void {
  const found = place(random, root);
  if (found === null) return;
  const [container, key] = found;
  const members = container as Record<string, unknown>;
  const other = place(random, root);
  switch (random.below(7)) {
    case 0:
      delete members[key];
      break;
    case 1:
      members[key] = random.pick(VALUES);
      break;
    case 2:
      members[key] = random.pick(PATTERNS);
      break;
    case 3: // a part of the file in the place of another
      if (other !== null) members[key] = structuredClone((other[0] as Record<string, unknown>)[other[1]]);
      break;
    case 4:
      members[`${key}${random.pick(['', '2', ' '])}`] = members[key];
      break;
    case 5:
      members[key] = [members[key]];
      break;
    default:
      if (typeof members[key] === 'string') members[key] = damageText(random, members[key]);
      else if (typeof members[key] === 'number')
        members[key] = (members[key] as number) + random.pick([-1, 1, 0.5, 1e9]);
  }
}

/** Text with a few characters changed, taken out or put in. */
export function damageText(random: Random, text: string): string {
  let out = text;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(out.length + 1);
    const insert = random.pick([
      '',
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      '\\',
      '%}',
      '{{',
      '0',
      '\u0000',
      '\ufdd0',
      out.slice(at, at + 40),
    ]);
    out = out.slice(0, at) + insert + out.slice(at + random.below(3));
  }
  return out;
}

/** The text of a damaged copy of a JSON file. */
export function damagedJson(random: Random, file: unknown): string {
  if (random.chance(0.2)) return damageText(random, JSON.stringify(file));
  const copy = structuredClone(file) as Container;
  for (let n = 1 + random.below(3); n > 0; n--) damage(random, copy);
  return JSON.stringify(copy);
}
