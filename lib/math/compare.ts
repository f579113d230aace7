// Whether two answers are the same.
import { size } from './complex.ts';
import { compare as compareExact, exact } from './exact.ts';
import { evaluate, type Point } from './evaluate.ts';
import type { Budget } from './limits.ts';
import { isExpression, type Node, negative } from './node.ts';
import { type Rational, toNumber } from './rational.ts';

/** Decimals to which numbers are compared, where one of them may be rounded. */
const DECIMALS = 6;
const POINTS = 4;

export interface Verdict {
  readonly equal: boolean;
  /** Which rule decided. */
  readonly rule: string;
}

const same = (rule: string): Verdict => ({ equal: true, rule });
const different = (rule: string): Verdict => ({ equal: false, rule });

/** `gold` is what the answer should be. The two are not alike: a gold relation may be answered with an interval, not the reverse. */
export function compare(gold: Node, answer: Node, budget: Budget): Verdict {
  budget.spend();
  const [g, a] = [unwrap(gold), unwrap(answer)];
  if (g.kind === 'text' || a.kind === 'text') return compareText(g, a);
  const [gs, as] = [alternatives(g), alternatives(a)];
  if (gs !== null || as !== null) return compareLists(gs ?? [g], as ?? [a], false, budget);
  if (g.kind === 'relation' || a.kind === 'relation') return compareRelations(g, a, budget);
  if (g.kind === 'matrix' || a.kind === 'matrix') return compareMatrices(g, a, budget);
  if (isSet(g) || isSet(a)) return compareSets(g, a, budget);
  if (g.kind === 'numberSet' || a.kind === 'numberSet') {
    const equal = g.kind === 'numberSet' && a.kind === 'numberSet' && g.name === a.name;
    return equal ? same('the same set of numbers') : different('different sets');
  }
  return compareExpressions(g, a, budget);
}

/** Percentages and degrees are looked at where numbers are compared; a list of one is its item. */
function unwrap(node: Node): Node {
  if (node.kind === 'list' && node.items.length === 1) return unwrap(node.items[0]!);
  return node;
}

function compareText(g: Node, a: Node): Verdict {
  const [x, y] = [wordsOf(g), wordsOf(a)];
  if (x !== null && x === y) return same('the same words');
  return different('different words');
}

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

/** The items of what has an order of its own choosing: lists, plus-minus, disjunctions. Null for one value. */
function alternatives(node: Node): readonly Node[] | null {
  if (node.kind === 'list') return node.items.flatMap((item) => plusMinus(item) ?? [item]);
  return plusMinus(node);
}

/** a ± b as two values; a relation x = ±b as two relations. */
function plusMinus(node: Node): readonly Node[] | null {
  if (node.kind === 'plusMinus') {
    const { left, right } = node;
    const of = (term: Node): Node => (left === null ? term : { kind: 'sum', terms: [left, term] });
    return [of(right), of(negative(right))];
  }
  if (node.kind === 'relation' && node.operators.length === 1 && node.operators[0] === '=') {
    const values = plusMinus(node.terms[1]!);
    return values?.map((value) => ({ ...node, terms: [node.terms[0]!, value] })) ?? null;
  }
  for (const [key, part] of Object.entries(node)) {
    if (typeof part !== 'object' || part === null || !('kind' in part)) continue;
    const values = plusMinus(part as Node);
    if (values !== null) return values.map((value) => ({ ...node, [key]: value }) as Node);
  }
  if (node.kind !== 'sum' && node.kind !== 'product') return null;
  const members = node.kind === 'sum' ? node.terms : node.factors;
  for (const [i, member] of members.entries()) {
    const values = plusMinus(member);
    if (values === null) continue;
    return values.map((value) => {
      const changed = members.with(i, value);
      return node.kind === 'sum' ? { kind: 'sum', terms: changed } : { kind: 'product', factors: changed };
    });
  }
  return null;
}

function compareLists(gs: readonly Node[], as: readonly Node[], ordered: boolean, budget: Budget): Verdict {
  const [x, y] = ordered ? [gs, as] : [gs.map(solution), as.map(solution)];
  const [wanted, given] = ordered ? [x, y] : [distinct(x, budget), distinct(y, budget)];
  // (1, 2) answers 1, 2: the brackets are the answer's own.
  if (!ordered && given.length === 1 && wanted.length > 1 && given[0]!.kind === 'bracketed') {
    return compareLists(wanted, given[0]!.items, true, budget);
  }
  if (!ordered && wanted.length === 1 && given.length > 1 && wanted[0]!.kind === 'bracketed') {
    return compareLists(wanted[0]!.items, given, true, budget);
  }
  if (wanted.length !== given.length) return different(`${wanted.length} values and ${given.length}`);
  if (ordered) {
    const at = wanted.findIndex((item, i) => !compare(item, given[i]!, budget).equal);
    return at < 0 ? same('every item in its place') : different(`item ${at + 1} differs`);
  }
  const left = [...given];
  for (const [i, item] of wanted.entries()) {
    const at = left.findIndex((other) => compare(item, other, budget).equal);
    if (at < 0) return different(`value ${i + 1} is not among those given`);
    left.splice(at, 1);
  }
  return same('the same values in some order');
}

/** x = 3 in a list of solutions is 3. */
function solution(node: Node): Node {
  const assigned = assignment(node);
  return assigned === null ? node : assigned;
}

function distinct(nodes: readonly Node[], budget: Budget): readonly Node[] {
  if (nodes.length > 32) return nodes;
  return nodes.filter(
    (node, i) => !nodes.slice(0, i).some((before) => isExpression(node) && compare(before, node, budget).equal),
  );
}

/** The right side of x = value, f(x) = value and value-less chains a = b = value; null for what is none. */
function assignment(node: Node): Node | null {
  if (node.kind !== 'relation' || node.operators.some((o) => o !== '=' && o !== '~' && o !== 'in')) return null;
  const first = node.terms[0]!;
  const last = node.terms.at(-1)!;
  const isName = first.kind === 'symbol' || first.kind === 'text' || isApplied(first) || first.kind === 'bracketed';
  return isName || node.terms.length > 2 ? last : null;
}

/** f(x), which reads as f times x; or a product of letters, as AB. */
const isApplied = (node: Node): boolean =>
  node.kind === 'product' &&
  node.factors.every((f) => f.kind === 'symbol' || f.kind === 'constant' || f.kind === 'text');

function compareRelations(g: Node, a: Node, budget: Budget): Verdict {
  if (g.kind === 'relation' && a.kind === 'relation') return compareTwoRelations(g, a, budget);
  if (g.kind === 'relation') {
    const value = assignment(g) ?? (isExpression(a) ? sideWithoutSymbols(g, budget) : null);
    if (value !== null) return compare(value, a, budget);
    const interval = intervalOf(g);
    if (interval !== null && isSet(a)) return compare(interval, a, budget);
    return different('an equation and a value');
  }
  if (a.kind !== 'relation') return different('no relation');
  const value = assignment(a) ?? (isExpression(g) ? sideWithoutSymbols(a, budget) : null);
  if (value !== null) return compare(g, value, budget);
  // An inequality in place of an interval may only repeat the question.
  return different('a relation where a value was wanted');
}

/** Of a chain like 3 * 4 = 12 without letters: the last value. */
function sideWithoutSymbols(node: Node & { kind: 'relation' }, budget: Budget): Node | null {
  if (node.operators.some((o) => o !== '=' && o !== '~')) return null;
  const last = node.terms.at(-1)!;
  return isExpression(last) && symbolsOf([node.terms[0]!], budget).size === 0 ? last : null;
}

type Relation = Node & { kind: 'relation' };

function compareTwoRelations(g: Relation, a: Relation, budget: Budget): Verdict {
  const [x, y] = [assignment(g), assignment(a)];
  if (x !== null && y !== null) {
    const [left, right] = [g.terms[0]!, a.terms[0]!];
    const names =
      isExpression(left) && isExpression(right)
        ? compareExpressions(left, right, budget)
        : compare(left, right, budget);
    if (names.equal || g.terms.length > 2 || a.terms.length > 2) return compare(x, y, budget);
    const proportional = compareEquations(g, a, budget);
    return proportional.equal ? proportional : different('equations of different names');
  }
  const [gi, ai] = [intervalOf(g), intervalOf(a)];
  if (gi !== null && ai !== null) {
    const names = compareExpressions(subjectOf(g)!, subjectOf(a)!, budget);
    return names.equal ? compare(gi, ai, budget) : different('inequalities of different names');
  }
  if (g.operators.length === 1 && a.operators.length === 1) {
    const [og, oa] = [g.operators[0]!, a.operators[0]!];
    if (og === '=' && oa === '=') return compareEquations(g, a, budget);
    const direct = og === oa && bothSides(g.terms, a.terms, budget);
    const turned = FLIPPED[og] === oa && bothSides(g.terms, [a.terms[1]!, a.terms[0]!], budget);
    return direct || turned ? same('the same relation') : compareInequalities(g, a, budget);
  }
  const equal = g.operators.join() === a.operators.join() && bothSides(g.terms, a.terms, budget);
  const turned =
    g.operators
      .map((o) => FLIPPED[o] ?? o)
      .reverse()
      .join() === a.operators.join() && bothSides(g.terms.toReversed(), a.terms, budget);
  return equal || turned ? same('the same relation') : different('different relations');
}

const FLIPPED: Readonly<Record<string, string>> = {
  '<': '>',
  '>': '<',
  '<=': '>=',
  '>=': '<=',
  '=': '=',
  '!=': '!=',
  '~': '~',
};

const bothSides = (x: readonly Node[], y: readonly Node[], budget: Budget): boolean =>
  x.length === y.length && x.every((term, i) => compare(term, y[i]!, budget).equal);

const difference = (r: Relation): Node => ({ kind: 'sum', terms: [r.terms[0]!, negative(r.terms[1]!)] });

/** l - r = 0 of both must be multiples of each other. */
function compareEquations(g: Relation, a: Relation, budget: Budget): Verdict {
  const ratio = constantRatio(difference(g), difference(a), budget);
  return ratio !== null ? same('multiples of the same equation') : different('different equations');
}

function compareInequalities(g: Relation, a: Relation, budget: Budget): Verdict {
  const ratio = constantRatio(difference(g), difference(a), budget);
  const [og, oa] = [g.operators[0]!, a.operators[0]!];
  const fits = ratio !== null && (ratio > 0 ? og === oa : FLIPPED[og] === oa);
  return fits ? same('multiples of the same inequality') : different('different inequalities');
}

function constantRatio(x: Node, y: Node, budget: Budget): number | null {
  if (!isExpression(x.kind === 'sum' ? x.terms[0]! : x)) return null;
  const names = symbolsOf([x, y], budget);
  if (symbolsOf([x], budget).size !== symbolsOf([y], budget).size) return null;
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

/** What x an inequality is about: x < 3, 1 < x <= 2. */
function subjectOf(node: Relation): Node | null {
  const { terms, operators } = node;
  if (operators.some((o) => !'<=>='.includes(o) || o === '=')) return null;
  if (operators.length === 1)
    return terms[0]!.kind === 'symbol' ? terms[0]! : terms[1]!.kind === 'symbol' ? terms[1]! : null;
  return operators.length === 2 && terms[1]!.kind === 'symbol' ? terms[1]! : null;
}

function intervalOf(node: Relation): Node | null {
  if (subjectOf(node) === null) return null;
  const { terms, operators } = node;
  const infinity: Node = { kind: 'constant', name: 'infinity' };
  const interval = (low: Node, high: Node, open: boolean, close: boolean): Node => ({
    ...{ kind: 'bracketed', open: open ? '(' : '[', close: close ? ')' : ']', items: [low, high] },
  });
  const ascending = operators.every((o) => o.startsWith('<'));
  if (!ascending && !operators.every((o) => o.startsWith('>'))) return null;
  const strict = operators.map((o) => o.length === 1);
  const [ts, ss] = ascending ? [terms, strict] : [terms.toReversed(), strict.toReversed()];
  if (ts.length === 3) return interval(ts[0]!, ts[2]!, ss[0]!, ss[1]!);
  return ts[0]!.kind === 'symbol'
    ? interval(negative(infinity), ts[1]!, true, ss[0]!)
    : interval(ts[0]!, infinity, ss[0]!, true);
}

const isSet = (node: Node): boolean => ['bracketed', 'setOperation', 'builder', 'emptySet'].includes(node.kind);

function compareSets(g: Node, a: Node, budget: Budget): Verdict {
  if (g.kind === 'emptySet' || a.kind === 'emptySet') {
    return g.kind === a.kind ? same('both are empty') : different('one is empty');
  }
  if (g.kind === 'bracketed' && a.kind === 'bracketed') {
    const brackets = g.open === a.open && g.close === a.close;
    if (!brackets) return different('different brackets');
    return compareLists(g.items, a.items, true, budget);
  }
  if (g.kind === 'builder' && a.kind === 'builder') {
    const fits = compare(g.of, a.of, budget).equal && compare(g.condition, a.condition, budget).equal;
    return fits ? same('the same set') : different('different sets');
  }
  const [x, y] = [segmentsOf(g, budget), segmentsOf(a, budget)];
  if (x === null || y === null) return different('what one is, the other is not');
  const fits = x.length === y.length && x.every((s, i) => sameSegment(s, y[i]!));
  return fits ? same('the same set of numbers') : different('different sets of numbers');
}

/** Of the real line, in order; a single point is closed at both ends. */
interface Segment {
  readonly low: number;
  readonly high: number;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

const near = (x: number, y: number): boolean => x === y || Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x));
const sameSegment = (s: Segment, t: Segment): boolean =>
  near(s.low, t.low) && near(s.high, t.high) && s.lowClosed === t.lowClosed && s.highClosed === t.highClosed;

/** A set as segments without overlap; null where ends are no real numbers. */
function segmentsOf(node: Node, budget: Budget): Segment[] | null {
  budget.spend();
  switch (node.kind) {
    case 'emptySet':
      return [];
    case 'numberSet':
      return node.name === 'R' ? [whole] : null;
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
    case 'builder': {
      const interval = node.condition.kind === 'relation' ? intervalOf(node.condition) : null;
      return interval && segmentsOf(interval, budget);
    }
    case 'relation': {
      const interval = intervalOf(node);
      return interval && segmentsOf(interval, budget);
    }
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

const whole: Segment = {
  low: Number.NEGATIVE_INFINITY,
  high: Number.POSITIVE_INFINITY,
  lowClosed: false,
  highClosed: false,
};
const point = (x: number): Segment => ({ low: x, high: x, lowClosed: true, highClosed: true });

function realValue(node: Node, budget: Budget): number {
  if (!isExpression(node) || symbolsOf([node], budget).size > 0) return Number.NaN;
  const { re, im } = evaluate(node, () => Number.NaN, budget);
  return Math.abs(im) < 1e-9 ? re : Number.NaN;
}

function joined(segments: readonly Segment[]): Segment[] {
  const sorted = segments.toSorted((s, t) => s.low - t.low || Number(t.lowClosed) - Number(s.lowClosed));
  const out: Segment[] = [];
  for (const next of sorted) {
    const last = out.at(-1);
    const touches =
      last && (next.low < last.high || (near(next.low, last.high) && (next.lowClosed || last.highClosed)));
    if (!last || !touches) {
      out.push(next);
      continue;
    }
    const further = next.high > last.high && !near(next.high, last.high);
    const highClosed = further ? next.highClosed : last.highClosed || (near(next.high, last.high) && next.highClosed);
    out[out.length - 1] = { ...last, high: further ? next.high : last.high, highClosed };
  }
  return out;
}

function complement(segments: readonly Segment[]): Segment[] {
  let rest: Segment[] = [whole];
  for (const { low, high, lowClosed, highClosed } of segments) {
    const below = { ...whole, high: low, highClosed: !lowClosed };
    const above = { ...whole, low: high, lowClosed: !highClosed };
    rest = rest.flatMap((s) => [...common(s, below), ...common(s, above)]);
  }
  return rest;
}

function common(s: Segment, t: Segment): Segment[] {
  const low = Math.max(s.low, t.low);
  const high = Math.min(s.high, t.high);
  const lowClosed = (s.low < low || s.lowClosed) && (t.low < low || t.lowClosed);
  const highClosed = (s.high > high || s.highClosed) && (t.high > high || t.highClosed);
  return low < high || (low === high && lowClosed && highClosed) ? [{ low, high, lowClosed, highClosed }] : [];
}

function compareMatrices(g: Node, a: Node, budget: Budget): Verdict {
  const [x, y] = [rowsOf(g), rowsOf(a)];
  if (x === null || y === null) return different('a matrix and something else');
  if (x.length !== y.length || x.some((row, i) => row.length !== y[i]!.length))
    return different('matrices of different shapes');
  const fits = x.every((row, i) => row.every((cell, j) => compare(cell, y[i]![j]!, budget).equal));
  return fits ? same('the same matrix') : different('an entry of the matrix differs');
}

/** A vector may be written in brackets. */
function rowsOf(node: Node): readonly (readonly Node[])[] | null {
  if (node.kind === 'matrix') return node.rows;
  if (node.kind !== 'bracketed') return null;
  const rows = node.items.map((item) => (item.kind === 'bracketed' ? item.items : null));
  if (rows.every((row) => row !== null)) return rows;
  return node.items.map((item) => [item]);
}

function compareExpressions(g: Node, a: Node, budget: Budget): Verdict {
  if (!isExpression(g) || !isExpression(a)) return different('of different kinds');
  if ((g.kind === 'based') !== (a.kind === 'based')) {
    const digits = [g, a].map((node) => (node.kind === 'based' ? node.digits : null));
    const plain = g.kind === 'number' ? g : a;
    const same10 = plain.kind === 'number' && digits.includes(String(plain.value.n)) && plain.value.d === 1n;
    return same10 ? same('the same digits') : different('one names a base, the other does not');
  }
  // 28 % may be answered with 28 and with 0.28, and the reverse.
  if (g.kind === 'percent' && a.kind !== 'percent') {
    const verdict = compareExpressions(g.of, a, budget);
    return verdict.equal ? same('the number of a percentage') : compareValues(g, a, budget);
  }
  if (a.kind === 'percent' && g.kind !== 'percent') {
    const verdict = compareExpressions(g, a.of, budget);
    return verdict.equal ? same('the number of a percentage') : compareValues(g, a, budget);
  }
  return compareValues(g, a, budget);
}

function compareValues(g: Node, a: Node, budget: Budget): Verdict {
  const [x, y] = [exact(g, budget), exact(a, budget)];
  if (x !== null && y !== null) return compareRationals(x, y, isRounded(g) || isRounded(a));
  const names = symbolsOf([g, a], budget);
  if (names.size === 0) return compareConstants(g, a, budget);
  let usable = 0;
  for (let i = 0; i < 3 * POINTS && usable < POINTS; i++) {
    const at = pointOf(i);
    const [p, q] = [evaluate(g, at, budget), evaluate(a, at, budget)];
    const [pHas, qHas] = [Number.isFinite(p.re + p.im), Number.isFinite(q.re + q.im)];
    if (!pHas && !qHas) continue;
    if (pHas !== qHas) return different('only one has a value at a random point');
    usable++;
    const scale = Math.max(size(p), size(q));
    const gap = Math.hypot(p.re - q.re, p.im - q.im);
    if (!(gap <= 1e-9 * scale + 1e-12)) return different('different at a random point');
  }
  return usable > 0 ? same(`equal at ${usable} random points`) : different('no value at random points');
}

/** Written with a point somewhere: perhaps not the whole truth. */
function isRounded(node: Node): boolean {
  if (node.kind === 'number') return node.decimal;
  if (node.kind === 'negative' || node.kind === 'percent' || node.kind === 'degrees') return isRounded(node.of);
  return node.kind === 'product' ? node.factors.some(isRounded) : false;
}

function compareRationals(x: Rational, y: Rational, rounded: boolean): Verdict {
  if (compareExact(x, y) === 0) return same('the same number exactly');
  const [p, q] = [toNumber(x), toNumber(y)];
  return rounded && agree(p, q) ? same(`equal to ${DECIMALS} decimals`) : different('different numbers');
}

function compareConstants(g: Node, a: Node, budget: Budget): Verdict {
  const nowhere: Point = () => Number.NaN;
  const [p, q] = [evaluate(g, nowhere, budget), evaluate(a, nowhere, budget)];
  if (!Number.isFinite(p.re) || !Number.isFinite(q.re)) {
    return p.re === q.re ? same('both are infinite') : different('no finite value');
  }
  const tight = Math.hypot(p.re - q.re, p.im - q.im) <= 1e-9 * Math.max(size(p), size(q)) + 1e-13;
  if (tight) return same('the same value');
  const rounded = isRounded(g) || isRounded(a);
  return rounded && agree(p.re, q.re) && agree(p.im, q.im)
    ? same(`equal to ${DECIMALS} decimals`)
    : different('different values');
}

/** Rounded to the same decimals, and not only because both are tiny. */
function agree(p: number, q: number): boolean {
  const gap = Math.abs(p - q);
  return gap <= 0.5 * 10 ** -DECIMALS && gap <= 2e-6 * Math.max(Math.abs(p), Math.abs(q), gap === 0 ? 1 : 0);
}

/** Names of the symbols in some nodes. */
function symbolsOf(nodes: readonly Node[], budget: Budget): Set<string> {
  const names = new Set<string>();
  const visit = (value: unknown): void => {
    budget.spend();
    if (Array.isArray(value)) for (const item of value) visit(item);
    else if (typeof value === 'object' && value !== null) {
      const node = value as Node;
      if (node.kind === 'symbol') names.add(node.name);
      else if (node.kind !== 'number') for (const part of Object.values(node)) visit(part);
    }
  };
  for (const node of nodes) visit(node);
  return names;
}

/** Random but always the same: every symbol has a number in [0.5, 3) by its name and the number of the point. */
function pointOf(point: number): Point {
  return (symbol) => {
    let hash = 2166136261 ^ Math.imul(point + 1, 0x9e3779b1);
    for (let i = 0; i < symbol.length; i++) hash = Math.imul(hash ^ symbol.charCodeAt(i), 16777619);
    hash ^= hash >>> 15;
    hash = Math.imul(hash, 0x2c1b3c6d);
    hash ^= hash >>> 12;
    return 0.5 + (2.5 * (hash >>> 0)) / 2 ** 32;
  };
}
