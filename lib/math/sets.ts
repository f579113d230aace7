// Comparing sets: intervals, unions, differences, conditions.
import { compare } from './compare.ts';
import { evaluate } from './evaluate.ts';
import { intervalOf } from './inequalities.ts';
import type { Budget } from './limits.ts';
import { compareInOrder } from './lists.ts';
import { isExpression, type Node } from './node.ts';
import { isConstant } from './points.ts';
import { common, complement, joined, near, point, type Segment, sameSegments, WHOLE } from './segments.ts';
import { different, same, type Verdict } from './verdict.ts';

export const isSet = (node: Node): boolean =>
  ['bracketed', 'setOperation', 'builder', 'emptySet', 'numberSet'].includes(node.kind);

export function compareSets(g: Node, a: Node, budget: Budget): Verdict {
  if (g.kind === 'emptySet' && a.kind === 'emptySet') return same('both sets are empty');
  if (g.kind === 'bracketed' && a.kind === 'bracketed') {
    if (g.open !== a.open || g.close !== a.close) return different('the brackets are others');
    return compareInOrder(g.items, a.items, budget);
  }
  if (g.kind === 'builder' && a.kind === 'builder' && bothParts(g, a, budget)) return same('the same set');
  const [x, y] = [segmentsOf(g, budget), segmentsOf(a, budget)];
  if (x !== null && y !== null) {
    return sameSegments(x, y) ? same('the same set of real numbers') : different('different sets of real numbers');
  }
  if (g.kind === 'numberSet' && a.kind === 'numberSet' && g.name === a.name) return same('the same set of numbers');
  if (g.kind === 'setOperation' && a.kind === 'setOperation' && g.operator === a.operator) {
    const both = (left: Node, right: Node): boolean =>
      compare(g.left, left, budget).equal && compare(g.right, right, budget).equal;
    if (both(a.left, a.right) || (g.operator !== 'setminus' && both(a.right, a.left)))
      return same('the same sets joined');
  }
  return different('different sets');
}

const bothParts = (g: Node & { kind: 'builder' }, a: Node & { kind: 'builder' }, budget: Budget): boolean =>
  compare(g.of, a.of, budget).equal && compare(g.condition, a.condition, budget).equal;

/** A set as segments of the real line; null where it is none, or its ends are no numbers. */
export function segmentsOf(node: Node, budget: Budget): Segment[] | null {
  budget.spend();
  switch (node.kind) {
    case 'emptySet':
      return [];
    case 'numberSet':
      return node.name === 'R' ? [WHOLE] : null;
    case 'bracketed': {
      if (node.items.length !== 2) return null;
      const [low, high] = node.items.map((item) => realValue(item, budget)) as [number, number];
      if (!(low < high)) return near(low, high) && node.open === '[' && node.close === ']' ? [point(low)] : null;
      return [{ low, high, lowClosed: node.open === '[', highClosed: node.close === ']' }];
    }
    case 'list': {
      const values = node.items.map((item) => realValue(item, budget));
      return values.some(Number.isNaN) ? null : joined(values.map(point));
    }
    case 'builder':
      return segmentsOf(node.condition, budget);
    case 'relation':
      return segmentsOfRelation(node, budget);
    case 'setOperation': {
      const [left, right] = [segmentsOf(node.left, budget), segmentsOf(node.right, budget)];
      if (left === null || right === null) return null;
      if (node.operator === 'cup') return joined([...left, ...right]);
      const other = node.operator === 'cap' ? right : complement(right);
      return joined(left.flatMap((s) => other.flatMap((t) => common(s, t))));
    }
    default:
      return null;
  }
}

function segmentsOfRelation(node: Node & { kind: 'relation' }, budget: Budget): Segment[] | null {
  if (node.operators.length === 1 && node.operators[0] === '!=') {
    const value = realValue(node.terms[1]!, budget);
    return Number.isNaN(value) ? null : complement([point(value)]);
  }
  if (node.operators.length === 1 && node.operators[0] === 'in') return segmentsOf(node.terms[1]!, budget);
  const inequality = intervalOf(node);
  const segments = inequality && segmentsOf(inequality.interval, budget);
  if (!segments || !inequality.absolute) return segments;
  // |x| in a set: both halves of the line.
  const positive = segments.flatMap((s) => common(s, { ...WHOLE, low: 0, lowClosed: true }));
  const mirrored = positive.map(({ low, high, lowClosed, highClosed }) => ({
    ...{ low: -high, high: -low, lowClosed: highClosed, highClosed: lowClosed },
  }));
  return joined([...positive, ...mirrored]);
}

function realValue(node: Node, budget: Budget): number {
  if (!isExpression(node) || !isConstant(node, budget)) return Number.NaN;
  const { re, im } = evaluate(node, () => Number.NaN, budget);
  return Math.abs(im) < 1e-9 || Number.isNaN(im) ? re : Number.NaN;
}
