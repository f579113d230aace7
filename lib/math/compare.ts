// Whether two answers are the same: which kinds they are decides how they are compared.
import { alternatives } from './alternatives.ts';
import type { Budget } from './limits.ts';
import { compareLists } from './lists.ts';
import { compareMatrices, hasMatrix } from './matrices.ts';
import { type Node, number } from './node.ts';
import { compareRelations } from './relations.ts';
import { compareSets, isSet } from './sets.ts';
import { compareExpressions } from './values.ts';
import { different, same, type Verdict } from './verdict.ts';
import { numberNamed } from './words.ts';

/** `gold` is what the answer should be. The two are not alike: a gold inequality may be answered with an interval, not the reverse. */
export function compare(gold: Node, answer: Node, budget: Budget): Verdict {
  budget.spend();
  const [g, a] = [unwrap(gold), unwrap(answer)];
  const [gs, as] = [alternatives(g), alternatives(a)];
  if (gs !== null || as !== null) {
    if (isUnion(g) || isUnion(a)) return compareSets(g, a, budget);
    return compareLists(gs ?? [g], as ?? [a], budget);
  }
  if (g.kind === 'text' || a.kind === 'text') return compareText(g, a, budget);
  if (g.kind === 'relation' || a.kind === 'relation') return compareRelations(g, a, budget);
  if (hasMatrix(g) || hasMatrix(a)) return compareMatrices(g, a, budget);
  if (isSet(g) || isSet(a)) return compareSets(g, a, budget);
  return compareExpressions(g, a, budget);
}

/** A list of one is its item. */
function unwrap(node: Node): Node {
  return node.kind === 'list' && node.items.length === 1 ? unwrap(node.items[0]!) : node;
}

const isUnion = (node: Node): boolean => node.kind === 'setOperation' || node.kind === 'builder';

function compareText(g: Node, a: Node, budget: Budget): Verdict {
  const [x, y] = [wordsOf(g), wordsOf(a)];
  if (x !== null && x === y) return same('the same words');
  const [named, value] = g.kind === 'text' ? [numberNamed(g.text), a] : [numberNamed(wordsOf(a) ?? ''), g];
  if (named === null || value.kind === 'text') return different('different words');
  return compareExpressions(number({ n: named, d: 1n }), value, budget);
}

/** Letters side by side are words where the other side is. */
function wordsOf(node: Node): string | null {
  if (node.kind === 'text') return node.text;
  if (node.kind === 'symbol') return node.name.toLowerCase();
  if (node.kind === 'constant' && node.name !== 'infinity') return node.name;
  if (node.kind === 'product') {
    const parts = node.factors.map(wordsOf);
    return parts.includes(null) ? null : parts.join('');
  }
  return null;
}
