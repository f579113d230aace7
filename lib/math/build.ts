// Nodes from their parts.
import type { Node } from './node.ts';

/** 25/2% is a percentage of 25/2, not 25 by 2%. */
export const quotientOf = (top: Node, bottom: Node): Node =>
  bottom.kind === 'percent'
    ? { kind: 'percent', of: { kind: 'quotient', top, bottom: bottom.of } }
    : { kind: 'quotient', top, bottom };

/** 1 2/3; null where the fraction is none, or not below 1. */
export function mixedNumber(whole: Node, fraction: Node): Node | null {
  if (fraction.kind === 'percent') {
    const of = mixedNumber(whole, fraction.of);
    return of && { kind: 'percent', of };
  }
  if (fraction.kind !== 'quotient') return null;
  const { top, bottom } = fraction;
  if (top.kind !== 'number' || bottom.kind !== 'number' || top.decimal || bottom.decimal) return null;
  return top.value.n < bottom.value.n ? sumOf(whole, fraction) : null;
}

export const prime = (node: Node): Node => (node.kind === 'symbol' ? { kind: 'symbol', name: `${node.name}'` } : node);

export const sumOf = (left: Node, right: Node): Node => ({
  kind: 'sum',
  terms: left.kind === 'sum' ? [...left.terms, right] : [left, right],
});
export const productOf = (left: Node, right: Node): Node => ({
  kind: 'product',
  factors: left.kind === 'product' ? [...left.factors, right] : [left, right],
});
