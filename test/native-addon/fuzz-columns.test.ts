// Column descriptions with anything wrong in them: the addon takes them or says no, and lives on. EXIT_RL_FUZZ sets the
// number of inputs; the deeper search of buffers is native (test/native/fuzz_arrow_test.cc).
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../lib/config/root.ts';
import type { ColumnDescription } from '../../lib/native/addon.ts';
import { Random } from '../../lib/rng.ts';
import { addon } from '../support/addon.ts';

const CORPUS = join(packageRoot(), 'test', 'fixtures', 'corpus', 'arrow');
const COUNT = Number(process.env['EXIT_RL_FUZZ'] ?? 2000);

interface Seed {
  format: string;
  name: string;
  length: number;
  nulls: number;
  buffers: (string | null)[];
  children?: Seed[];
  dictionary?: Seed;
}

type Loose = { -readonly [Key in keyof ColumnDescription]: unknown };

const WIDTHS: Readonly<Record<string, number>> = { i: 4, f: 4, l: 8, g: 8, '+l': 4, '+L': 8, u: 4, U: 8, z: 4 };

/** A fresh description: mutations must not reach the next input. */
function describe({ format, name, length, nulls, buffers, children = [], dictionary }: Seed): Loose {
  const views = buffers.map((hex, b) => {
    if (hex === null) return null;
    const bytes = Buffer.from(hex, 'hex');
    const width = b === 1 ? (WIDTHS[format] ?? 1) : 1;
    const memory = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    return width === 8 ? new BigInt64Array(memory) : width === 4 ? new Int32Array(memory) : new Uint8Array(memory);
  });
  return {
    ...{ format, name, length, nullCount: nulls, buffers: views },
    ...{ children: children.map(describe), dictionary: dictionary ? describe(dictionary) : null },
  };
}

/** The column and those below it; a mutation may have closed a circle. */
function nodes(column: Loose, depth = 0): Loose[] {
  const children = Array.isArray(column.children) ? (column.children as unknown[]) : [];
  const below = [...children, column.dictionary].filter(
    (child) => typeof child === 'object' && child !== null && 'format' in child,
  ) as Loose[];
  return [column, ...(depth < 4 ? below.flatMap((child) => nodes(child, depth + 1)) : [])];
}

const KEYS = ['format', 'name', 'length', 'nullCount', 'buffers', 'children', 'dictionary'] as const;
const FORMATS = [
  'c',
  'C',
  's',
  'S',
  'i',
  'I',
  'l',
  'L',
  'e',
  'f',
  'g',
  'b',
  'u',
  'U',
  'z',
  'Z',
  '+l',
  '+L',
  '+s',
  '+w:2',
  '+w:',
  '+m',
  '',
];
const NUMBERS = [
  -1,
  0,
  1,
  2,
  3,
  7,
  8,
  9,
  255,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  1e300,
];

function strange(random: Random): unknown {
  const values: (() => unknown)[] = [
    () => null,
    () => undefined,
    () => NUMBERS[random.below(NUMBERS.length)],
    () => FORMATS[random.below(FORMATS.length)],
    () => true,
    () => 10n,
    () => Symbol('x'),
    () => [],
    () => ({}),
    () => new ArrayBuffer(8),
    () => new DataView(new ArrayBuffer(8)),
    () => new Float64Array(random.below(4)),
    () => new Int32Array(new SharedArrayBuffer(16)),
    () => new Uint8Array(new ArrayBuffer(24), 1 + random.below(7)),
    () => detached(),
    () => new Array(3),
    () => '\0',
    () => 'x'.repeat(100_000),
    () => () => 1,
  ];
  return values[random.below(values.length)]!();
}

function detached(): Int32Array {
  const view = new Int32Array(4);
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
}

function mutate(root: Loose, random: Random): void {
  for (let i = 0, n = random.below(4); i < n; i++) {
    const all = nodes(root);
    const column = all[random.below(all.length)]!;
    const lists = [column.buffers, column.children].filter((list): list is unknown[] => Array.isArray(list));
    switch (random.below(8)) {
      case 0:
        column[KEYS[random.below(KEYS.length)]!] = strange(random);
        break;
      case 1:
        delete (column as Partial<Loose>)[KEYS[random.below(KEYS.length)]!];
        break;
      case 2:
        column.format = FORMATS[random.below(FORMATS.length)];
        break;
      case 3:
        column[random.below(2) === 0 ? 'length' : 'nullCount'] = NUMBERS[random.below(NUMBERS.length)];
        break;
      case 4:
        for (const list of lists) if (list.length > 0) list[random.below(list.length)] = strange(random);
        break;
      case 5:
        for (const list of lists) list.splice(random.below(list.length + 1), random.below(2));
        break;
      case 6: // another column in its place; one of its own children now and then, or itself
        column.children = [all[random.below(all.length)]];
        break;
      default: {
        const view = (Array.isArray(column.buffers) ? column.buffers : []).find((b) => b instanceof Int32Array);
        if (view && view.length > 0) view[random.below(view.length)] = NUMBERS[random.below(NUMBERS.length)]! | 0;
      }
    }
  }
}

test('columns with anything wrong in them are refused or read, never fatal', () => {
  const seeds = readdirSync(CORPUS).map((name) => JSON.parse(readFileSync(join(CORPUS, name), 'utf8')) as Seed);
  let taken = 0;
  for (let input = 0; input < COUNT; input++) {
    const random = new Random(input, 'columns');
    const root = describe(seeds[random.below(seeds.length)]!);
    mutate(root, random);
    for (const column of [root, ...columnsOf(root)]) {
      try {
        addon.inspectColumn(column as ColumnDescription);
        taken++;
      } catch (error) {
        assert.ok(error instanceof Error, `input ${input}: ${String(error)}`);
        const { code } = error as Error & { code?: unknown };
        const expected = ['ERR_INVALID_ARGUMENT', 'ERR_OUT_OF_MEMORY'].includes(String(code));
        assert.ok(expected, `input ${input}: ${error.message} (${String(code)})`);
      }
    }
  }
  console.log(`fuzz of descriptions: ${COUNT} inputs, ${taken} columns taken`);
  assert.ok(taken > COUNT / 10);
});

/** The columns of a batch, where a mutation left any: rows of a struct itself are not read. */
const columnsOf = ({ children }: Loose): unknown[] => (Array.isArray(children) ? children.slice(0, 8) : []);
