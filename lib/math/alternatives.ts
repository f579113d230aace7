// What stands for several values: lists, sets, plus-minus.
import type { Node } from './node.ts';

/** So many values a ± may become. */
const MOST = 16;

/** The items of what has no order of its own: lists, sets, a ± b. Null for one value. */
export function alternatives(node: Node): readonly Node[] | null {
  if (node.kind === 'list') return node.items.flatMap((item) => plusMinus(item) ?? [item]);
  return plusMinus(node);
}

/** a ± b as two values; x = ± b as two equations. Several signs are independent of each other. */
function plusMinus(node: Node): readonly Node[] | null {
  const once = onePlusMinus(node);
  if (once === null) return null;
  return once.length > MOST ? once : once.flatMap((value) => plusMinus(value) ?? [value]).slice(0, MOST);
}

function onePlusMinus(node: Node): readonly Node[] | null {
  switch (node.kind) {
    case 'plusMinus': {
      const { left, right } = node;
      const negated: Node = { kind: 'negative', of: right };
      if (left === null) return [right, negated];
      return [right, negated].map((term) => ({ kind: 'sum', terms: [left, term] }));
    }
    case 'relation':
      return node.operators.join() === '=' ? inMember(node.terms, (terms) => ({ ...node, terms }), 1) : null;
    case 'sum':
      return inMember(node.terms, (terms) => ({ kind: 'sum', terms }));
    case 'product':
      return inMember(node.factors, (factors) => ({ kind: 'product', factors }));
    case 'call':
      return inMember(node.arguments, (args) => ({ ...node, arguments: args }));
    case 'bracketed':
      return inMember(node.items, (items) => ({ ...node, items }));
    case 'quotient':
      return inMember([node.top, node.bottom], ([top, bottom]) => ({ kind: 'quotient', top: top!, bottom: bottom! }));
    case 'power':
      return inMember([node.base, node.exponent], ([base, exponent]) => ({
        ...{ kind: 'power', base: base!, exponent: exponent! },
      }));
    case 'negative':
    case 'degrees':
    case 'percent':
      return inMember([node.of], ([of]) => ({ kind: node.kind, of: of! }));
    default:
      return null;
  }
}

/** The first member that stands for two values makes two of the whole. */
function inMember(
  members: readonly Node[],
  withMembers: (changed: readonly Node[]) => Node,
  from = 0,
): readonly Node[] | null {
  for (let i = from; i < members.length; i++) {
    const values = onePlusMinus(members[i]!);
    if (values !== null) return values.map((value) => withMembers(members.with(i, value)));
  }
  return null;
}
