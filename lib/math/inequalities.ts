// Inequalities about one thing, as intervals.
import type { Node } from './node.ts';

export type Relation = Node & { readonly kind: 'relation' };

export interface Inequality {
  /** What it is about: x, f(x). */
  readonly subject: Node;
  /** Whether the interval is one of |subject|. */
  readonly absolute: boolean;
  readonly interval: Node;
}

/** x, AB, S/T, f: nothing but letters. */
export function isName(node: Node): boolean {
  if (node.kind === 'symbol' || node.kind === 'text') return true;
  if (node.kind === 'constant') return node.name === 'e' || node.name === 'i';
  if (node.kind === 'product') return node.factors.every(isName);
  return node.kind === 'quotient' && isName(node.top) && isName(node.bottom);
}

const isInfinite = (node: Node): boolean =>
  (node.kind === 'constant' && node.name === 'infinity') || (node.kind === 'negative' && isInfinite(node.of));

const infinity: Node = { kind: 'constant', name: 'infinity' };
const below: Node = { kind: 'negative', of: infinity };

/** 1 < x <= 2 is (1, 2], x >= 3 is [3, oo). Null for what is no inequality about one name. */
export function intervalOf({ terms, operators }: Relation): Inequality | null {
  if (operators.length > 2 || !operators.every((o) => o === '<' || o === '<=' || o === '>' || o === '>=')) return null;
  const ascending = operators.every((o) => o.startsWith('<'));
  if (!ascending && !operators.every((o) => o.startsWith('>'))) return null;
  const strict = operators.map((o) => o.length === 1);
  const [ts, ss] = ascending ? [terms, strict] : [terms.toReversed(), strict.toReversed()];
  const at = ts.length === 3 ? 1 : isSubject(ts[0]!) ? 0 : 1;
  const term = ts[at]!;
  if (!isSubject(term)) return null;
  const low = at === 0 ? below : ts[at - 1]!;
  const high = at === ts.length - 1 ? infinity : ts[at + 1]!;
  const open = at === 0 || ss[at - 1]! || isInfinite(low);
  const close = at === ts.length - 1 || ss[at]! || isInfinite(high);
  const absolute = term.kind === 'call';
  return {
    subject: absolute ? term.arguments[0]! : term,
    absolute,
    interval: { kind: 'bracketed', open: open ? '(' : '[', close: close ? ')' : ']', items: [low, high] },
  };
}

const isSubject = (node: Node): boolean =>
  (isName(node) && node.kind !== 'constant') ||
  (node.kind === 'call' && node.name === 'abs' && isName(node.arguments[0]!));
