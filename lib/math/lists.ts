// Comparing several values: in any order, in order, or by their names.
import { type Assignment, assignmentOf, headOf } from './assignments.ts';
import { compare } from './compare.ts';
import type { Budget } from './limits.ts';
import { isExpression, type Node } from './node.ts';
import { different, same, type Verdict } from './verdict.ts';

/** Lists beyond this are not searched for values that occur twice. */
const MOST_DISTINCT = 32;

export function compareInOrder(gs: readonly Node[], as: readonly Node[], budget: Budget): Verdict {
  if (gs.length !== as.length) return different(`${gs.length} items and ${as.length}`);
  const at = gs.findIndex((item, i) => !compare(item, as[i]!, budget).equal);
  return at < 0 ? same('every item is equal, in order') : different(`item ${at + 1} differs`);
}

/** Both sides as values without order, except for those that have names. */
export function compareLists(gs: readonly Node[], as: readonly Node[], budget: Budget): Verdict {
  const [g, a] = [namedValues(gs, budget), namedValues(as, budget)];
  if (g.names !== null || a.names !== null) return compareNamed(g, a, budget);
  if (g.shared !== null && a.shared !== null && !sharedAlike(g.shared, a.shared, budget))
    return different('other names');
  const [wanted, given] = [distinct(g.values, budget), distinct(a.values, budget)];
  // (1, 2) answers 1, 2: the brackets are the answer's own.
  if (given.length === 1 && wanted.length > 1 && given[0]!.kind === 'bracketed') {
    return compareInOrder(wanted, given[0]!.items, budget);
  }
  if (wanted.length === 1 && given.length > 1 && wanted[0]!.kind === 'bracketed') {
    return compareInOrder(wanted[0]!.items, given, budget);
  }
  if (wanted.length !== given.length) return different(`${wanted.length} values and ${given.length}`);
  const left = [...given];
  for (const [i, item] of wanted.entries()) {
    const at = left.findIndex((other) => compare(item, other, budget).equal);
    if (at < 0) return different(`value ${i + 1} is not among those given`);
    left.splice(at, 1);
  }
  return same('the same values in some order');
}

interface Named {
  /** Not null: every value has a name of its own. */
  readonly names: readonly Node[] | null;
  /** The name of all values. */
  readonly shared: Node | null;
  readonly values: readonly Node[];
}

const unnamed = (values: readonly Node[], shared: Node | null = null): Named => ({ names: null, shared, values });

/** W(n) = 1, W(n) = 2 are as good as W(x) = 1, W(x) = 2. */
function sharedAlike(x: Node, y: Node, budget: Budget): boolean {
  const functions = x.kind === 'product' && y.kind === 'product';
  return sameName(x, y, budget) || (functions && headOf(x) !== null && headOf(x) === headOf(y));
}

/**
 * x = 1, x = 2 are two values; x = 1, y = 2 are values with names; x = 1, y = 2, x = 3, y = 4 are two tuples. n = 1, 2, 3 are
 * three values.
 */
function namedValues(items: readonly Node[], budget: Budget): Named {
  const assignments = items.map((item) => (item.kind === 'relation' ? assignmentOf(item, budget) : null));
  const values = items.map((item, i) => assignments[i]?.value ?? item);
  const named = assignments.filter((assignment): assignment is Assignment => assignment !== null);
  if (named.length < items.length) return unnamed(named.length > 1 ? items : values);
  const names = named.map(({ name }) => name);
  const period = periodOf(names, budget);
  if (period === null) return unnamed(items);
  if (period === 1) return unnamed(values, names[0]!);
  if (period === names.length) return { names, shared: null, values };
  const tuples: Node[] = [];
  for (let i = 0; i < values.length; i += period) {
    tuples.push({ kind: 'bracketed', open: '(', close: ')', items: values.slice(i, i + period) });
  }
  return unnamed(tuples);
}

/** After how many names they begin again; null where they do not repeat evenly. */
function periodOf(names: readonly Node[], budget: Budget): number | null {
  const is = (x: Node, y: Node): boolean => sameName(x, y, budget);
  const again = names.findIndex((name, i) => i > 0 && is(name, names[0]!));
  const period = again < 0 ? names.length : again;
  return names.length % period === 0 && names.every((name, i) => is(name, names[i % period]!)) ? period : null;
}

export function sameName(x: Node, y: Node, budget: Budget): boolean {
  if (x.kind === 'symbol' && y.kind === 'symbol') return x.name === y.name;
  const [head, other] = [headOf(x), headOf(y)];
  if (head !== null && other !== null && head.toLowerCase() !== other.toLowerCase()) return false;
  return compare(x, y, budget).equal;
}

/** By their names where both have them, in order where one has none. */
function compareNamed(g: Named, a: Named, budget: Budget): Verdict {
  const [gs, as] = [itemsOf(g), itemsOf(a)];
  if (gs.length !== as.length) return different(`${gs.length} values and ${as.length}`);
  if (g.names === null || a.names === null) return compareInOrder(gs, as, budget);
  for (const [i, name] of g.names.entries()) {
    const at = a.names.findIndex((other) => sameName(name, other, budget));
    if (at < 0) return different(`name ${i + 1} is missing`);
    if (!compare(gs[i]!, as[at]!, budget).equal) return different(`the value of name ${i + 1} differs`);
  }
  return same('every name has the same value');
}

/** A single tuple is its items. */
function itemsOf({ names, values }: Named): readonly Node[] {
  const [only] = values;
  return names === null && values.length === 1 && only!.kind === 'bracketed' ? only!.items : values;
}

function distinct(nodes: readonly Node[], budget: Budget): readonly Node[] {
  if (nodes.length > MOST_DISTINCT) return nodes;
  const isComparable = (node: Node): boolean => isExpression(node) || node.kind === 'bracketed';
  return nodes.filter(
    (node, i) => !isComparable(node) || !nodes.slice(0, i).some((before) => compare(before, node, budget).equal),
  );
}
