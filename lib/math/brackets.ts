// What stands in brackets: groups, tuples, intervals, sets, absolute values, matrices.
import { braced } from './atoms.ts';
import { Unreadable } from './limits.ts';
import { determinantOf } from './matrices.ts';
import { call, type Node } from './node.ts';
import type { Parser } from './parse.ts';

export function bracket(p: Parser, open: string): Node {
  switch (open) {
    case '(':
    case '[':
      return inBrackets(p, open);
    case '{':
      return group(p);
    case '|': {
      p.bars++;
      const inner = p.relation();
      p.bars--;
      p.expect('|');
      return call('abs', inner);
    }
    default:
      throw new Unreadable(`"${open}" was not expected`);
  }
}

function inBrackets(p: Parser, open: '(' | '['): Node {
  const bars = p.bars;
  p.bars = 0;
  const items = p.items();
  p.bars = bars;
  const close = p.take().text;
  if (close !== ')' && close !== ']') throw new Unreadable(`${open} is not closed`);
  if (items.length === 0) throw new Unreadable('empty brackets');
  if (items.length === 1 && (open === '(') === (close === ')')) return items[0]!;
  return { kind: 'bracketed', open, close, items };
}

/** The braces of LaTeX, which only group; with several items in them, somebody forgot the backslash of a set. */
function group(p: Parser): Node {
  const bars = p.bars;
  p.bars = 0;
  const items = p.items();
  p.bars = bars;
  p.expect('}');
  if (items.length === 0) throw new Unreadable('empty braces');
  return items.length === 1 ? items[0]! : { kind: 'list', items, braces: true };
}

/** \{1, 2\} and \{x | x > 0\}. */
export function set(p: Parser): Node {
  const bars = p.bars;
  p.bars = 1;
  const items = p.items();
  if (items.length === 1 && p.accept('|', ':')) {
    p.bars = 0;
    const [condition] = p.items();
    p.expect('\\}');
    p.bars = bars;
    if (condition === undefined) throw new Unreadable('a set without a condition');
    return { kind: 'builder', of: items[0]!, condition };
  }
  p.bars = bars;
  p.expect('\\}');
  return items.length === 0 ? { kind: 'emptySet' } : { kind: 'list', items, braces: true };
}

export function matrix(p: Parser): Node {
  const name = braced(p);
  if (!/^(?:[pbvBV]?matrix|smallmatrix|array|cases|aligned?)\*?$/.test(name)) throw new Unreadable(`\\begin{${name}}`);
  if (name === 'array' && p.is('{')) braced(p);
  const rows: Node[][] = [[]];
  for (;;) {
    if (p.accept('\\end')) break;
    if (p.accept('&')) continue;
    if (p.accept('\\\\', '\\cr')) {
      rows.push([]);
      continue;
    }
    const cells = p.items();
    if (cells.length === 0) throw new Unreadable('a matrix with an empty cell');
    rows.at(-1)!.push(cells.length === 1 ? cells[0]! : { kind: 'list', items: cells, braces: false });
  }
  braced(p);
  const filled = rows.filter((row) => row.length > 0);
  if (filled.length === 0) throw new Unreadable('an empty matrix');
  if (/^(?:cases|aligned?)/.test(name)) return { kind: 'list', items: filled.map((row) => row[0]!), braces: false };
  return name === 'vmatrix' ? determinantOf(filled) : { kind: 'matrix', rows: filled };
}
