// x = 3, f(2) = 5, (p, q) = (3, 2), 5 = x: what has a name, and its value.
import { evaluate } from './evaluate.ts';
import { isName, type Relation } from './inequalities.ts';
import type { Budget } from './limits.ts';
import { isExpression, type Node } from './node.ts';
import { isConstant } from './points.ts';

export interface Assignment {
  readonly name: Node;
  readonly value: Node;
}

/** What gives a name its value; null for other relations. `x ∈ S` gives x the value S. */
export function assignmentOf(node: Relation, budget: Budget): Assignment | null {
  if (node.operators.some((o) => o !== '=' && o !== '~' && o !== 'in')) return null;
  const terms = exactTerms(node);
  const [first, last] = [terms[0]!, terms.at(-1)!];
  if (isNamed(first)) return { name: first, value: last };
  if (terms.length === 2 && node.operators[0] === '=' && isNamed(last) && isConstant(first, budget)) {
    return { name: last, value: first };
  }
  return terms.length > 2 && terms.slice(1).some(isNamed) ? { name: first, value: last } : null;
}

/** Of 3 * 4 = 12, without any name: the last value. */
export function resultOf(node: Relation, budget: Budget): Node | null {
  if (node.operators.some((o) => o !== '=' && o !== '~')) return null;
  const terms = exactTerms(node);
  return terms.every((term) => isExpression(term) && isConstant(term, budget)) ? terms.at(-1)! : null;
}

/** Of x = 1/3 ≈ 0.33 what is exact: x = 1/3. Of x ≈ 0.33 all. */
function exactTerms({ terms, operators }: Relation): readonly Node[] {
  const at = operators.indexOf('~', 1);
  return at < 0 ? terms : terms.slice(0, at + 1);
}

/** What x = 1/3 ≈ 0.33 says besides, where it is the exact value rounded: 0.33. */
export function roundedValueOf(node: Node, budget: Budget): Node | null {
  if (node.kind !== 'relation') return null;
  const at = node.operators.indexOf('~', 0);
  const rounded = node.terms.at(-1)!;
  if (at < 0 || at !== node.operators.length - 1 || rounded.kind !== 'number' || !rounded.decimal) return null;
  const exact = node.terms[at]!;
  if (!isExpression(exact) || !isConstant(exact, budget)) return null;
  const nowhere = (): number => Number.NaN;
  const [p, q] = [evaluate(exact, nowhere, budget), evaluate(rounded, nowhere, budget)];
  let unit = 1;
  for (let { d } = rounded.value; d > 1n && unit > 1e-12; d = d >= 10n ? d / 10n : 1n) unit /= 10;
  return p.im === 0 && Math.abs(p.re - q.re) <= 0.51 * unit ? rounded : null;
}

function isNamed(node: Node): boolean {
  if (node.kind === 'bracketed') return node.items.every(isNamed);
  return isName(node) || isApplied(node);
}

const FUNCTION_OF_ANGLE = /^(?:sin|cos|tan|cot|sec|csc)$/;

/** f(2), which reads as f times 2; f^{-1}(x); cos A. */
function isApplied(node: Node): boolean {
  if (node.kind === 'call') return FUNCTION_OF_ANGLE.test(node.name) && isName(node.arguments[0]!);
  if (node.kind !== 'product' || node.factors.length !== 2) return false;
  const [head, of] = node.factors as [Node, Node];
  if (head.kind === 'symbol') return of.kind === 'number' || of.kind === 'bracketed' || of.kind === 'negative';
  return head.kind === 'power' && head.base.kind === 'symbol' && head.exponent.kind === 'negative' && isName(of);
}

/** The letter that a name begins with. */
export function headOf(node: Node): string | null {
  if (node.kind === 'symbol') return node.name;
  return node.kind === 'product' ? headOf(node.factors[0]!) : null;
}
