// Comparing equations and inequalities, with each other and with values.
import { type Assignment, assignmentOf, headOf, resultOf, roundedValueOf } from './assignments.ts';
import { compare } from './compare.ts';
import { evaluate } from './evaluate.ts';
import { intervalOf, type Relation } from './inequalities.ts';
import type { Budget } from './limits.ts';
import { sameName } from './lists.ts';
import { isExpression, type Node, negative } from './node.ts';
import { isConstant, pointOf, symbolsOf } from './points.ts';
import { isSet, segmentsOf } from './sets.ts';
import { sameSegments } from './segments.ts';
import { different, same, type Verdict } from './verdict.ts';

const POINTS = 4;

/** The two are not alike: a gold inequality may be answered with an interval; an inequality for a gold interval may be an echo. */
export function compareRelations(g: Node, a: Node, budget: Budget): Verdict {
  if (g.kind === 'relation' && a.kind === 'relation') return compareTwo(g, a, budget);
  if (g.kind === 'relation') {
    const value = valueFor(g, a, budget);
    if (value !== null) return compare(value, a, budget);
    const fits = isSet(a) && sameSet(g, a, budget);
    return fits ? same('the interval of the inequality') : different('an equation or inequality, and a value');
  }
  if (a.kind !== 'relation') return different('no relation');
  const value = valueFor(a, g, budget);
  if (value !== null) {
    const verdict = compare(g, value, budget);
    const rounded = verdict.equal ? null : roundedValueOf(a, budget);
    return rounded === null ? verdict : compare(g, rounded, budget);
  }
  if (budget.settings.relationForSet && isSet(g)) {
    return sameSet(a, g, budget) ? same('the interval of the inequality') : different('another interval');
  }
  return different('an equation or inequality where a value was wanted: it may only repeat the question');
}

const valueFor = (node: Relation, other: Node, budget: Budget): Node | null =>
  assignmentOf(node, budget)?.value ?? (isExpression(other) ? resultOf(node, budget) : null);

function sameSet(relation: Relation, set: Node, budget: Budget): boolean {
  const inequality = intervalOf(relation);
  if (inequality !== null && !inequality.absolute && compare(inequality.interval, set, budget).equal) return true;
  const [x, y] = [segmentsOf(relation, budget), segmentsOf(set, budget)];
  return x !== null && y !== null && sameSegments(x, y);
}

const isMembership = (node: Relation): boolean => node.operators.join() === 'in' && isSet(node.terms[1]!);

/** An inequality and x ∈ S: as the inequality and S, if they are about the same name. */
function compareMembership(g: Relation, a: Relation, budget: Budget): Verdict {
  const [inequality, member] = isMembership(g) ? [a, g] : [g, a];
  const about = intervalOf(inequality);
  if (about !== null && !sameName(about.subject, member.terms[0]!, budget)) return different('sets of different names');
  return isMembership(g) ? compareRelations(g.terms[1]!, a, budget) : compareRelations(g, a.terms[1]!, budget);
}

function compareTwo(g: Relation, a: Relation, budget: Budget): Verdict {
  if (isMembership(g) !== isMembership(a) && ![g, a].some((r) => r.operators.includes('='))) {
    return compareMembership(g, a, budget);
  }
  const [x, y] = [assignmentOf(g, budget), assignmentOf(a, budget)];
  if (x !== null && y !== null) return compareAssignments(g, x, a, y, budget);
  if (x !== null && isConstant(x.value, budget)) {
    return different('the gold answer is solved for a name, this equation is not');
  }
  const [gi, ai] = [intervalOf(g), intervalOf(a)];
  if (gi !== null && ai !== null) {
    const subjects = gi.absolute === ai.absolute && sameName(gi.subject, ai.subject, budget);
    return subjects ? compare(gi.interval, ai.interval, budget) : different('inequalities of different names');
  }
  if (g.operators.length === 1 && a.operators.length === 1) return compareSingle(g, a, budget);
  const direct = g.operators.join() === a.operators.join() && bothSides(g.terms, a.terms, budget);
  const flipped = g.operators.map(flip).reverse().join();
  const turned = flipped === a.operators.join() && bothSides(g.terms.toReversed(), a.terms, budget);
  return direct || turned ? same('the same chain') : different('different chains');
}

function compareAssignments(g: Relation, x: Assignment, a: Relation, y: Assignment, budget: Budget): Verdict {
  const chains = g.terms.length > 2 || a.terms.length > 2;
  if (chains || sameName(x.name, y.name, budget) || sameFunction(x, y, budget))
    return compare(x.value, y.value, budget);
  const solved = isConstant(x.value, budget);
  if (!solved && sameEquation(g, a, budget)) return same('multiples of the same equation');
  return different('equations of different names');
}

/** P(x) = 1 and p(y) = 1: constant functions, however their letters are written. */
const sameFunction = (x: Assignment, y: Assignment, budget: Budget): boolean => {
  const [head, other] = [headOf(x.name), headOf(y.name)];
  const functions = x.name.kind === 'product' && y.name.kind === 'product';
  const constant = isConstant(x.value, budget) && isConstant(y.value, budget);
  return functions && constant && head !== null && head.toLowerCase() === other?.toLowerCase();
};

function compareSingle(g: Relation, a: Relation, budget: Budget): Verdict {
  const [og, oa] = [g.operators[0]!, a.operators[0]!];
  if (og === oa && bothSides(g.terms, a.terms, budget)) return same('the same on both sides');
  if (flip(og) === oa && bothSides(g.terms.toReversed(), a.terms, budget))
    return same('the same with its sides exchanged');
  if (og === '=' && oa === '=') {
    return sameEquation(g, a, budget) ? same('multiples of the same equation') : different('different equations');
  }
  if (isSolved(g, budget) && !isSolved(a, budget))
    return different('the gold answer is solved, this inequality is not');
  const ratio = constantRatio(differenceOf(g), differenceOf(a), budget);
  const fits = ratio !== null && (ratio > 0 ? og === oa : flip(og) === oa);
  return fits ? same('multiples of the same inequality') : different('different inequalities');
}

/** x < 3, -x > -3: a name on one side, a number on the other. */
function isSolved({ terms }: Relation, budget: Budget): boolean {
  const bare = (node: Node): Node => (node.kind === 'negative' ? node.of : node);
  const [left, right] = terms.map(bare) as [Node, Node];
  const solved = (name: Node, value: Node): boolean => name.kind === 'symbol' && isConstant(value, budget);
  return solved(left, right) || solved(right, left);
}

const FLIPPED: Readonly<Record<string, string>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=' };
const flip = (operator: string): string => FLIPPED[operator] ?? operator;

const bothSides = (x: readonly Node[], y: readonly Node[], budget: Budget): boolean =>
  x.length === y.length && x.every((term, i) => compare(term, y[i]!, budget).equal);

const differenceOf = (r: Relation): Node => ({ kind: 'sum', terms: [r.terms[0]!, negative(r.terms[1]!)] });

/** l - r of both must be multiples of each other. */
const sameEquation = (g: Relation, a: Relation, budget: Budget): boolean =>
  g.terms.length === 2 && a.terms.length === 2 && constantRatio(differenceOf(g), differenceOf(a), budget) !== null;

function constantRatio(x: Node, y: Node, budget: Budget): number | null {
  const [names, others] = [symbolsOf([x], budget), symbolsOf([y], budget)];
  if (names.size !== others.size || ![...names].every((name) => others.has(name))) return null;
  let found: number | null = null;
  for (let i = 0; i < POINTS + names.size; i++) {
    const at = pointOf(i);
    const [p, q] = [evaluate(x, at, budget), evaluate(y, at, budget)];
    if (Math.abs(p.im) + Math.abs(q.im) > 1e-9 || !(Math.abs(p.re) > 1e-9) || !(Math.abs(q.re) > 1e-9)) return null;
    const ratio = q.re / p.re;
    if (found !== null && Math.abs(ratio - found) > 1e-7 * Math.abs(found)) return null;
    found = ratio;
  }
  return found;
}
