// Matrices: their arithmetic on entries that are nodes, and their comparison.
import { compare } from './compare.ts';
import { isExpression, type Node, negative, number } from './node.ts';
import { type Budget, Unreadable } from './limits.ts';
import { ZERO } from './rational.ts';
import { different, same, type Verdict } from './verdict.ts';

export type Rows = readonly (readonly Node[])[];

/** Largest matrix that is multiplied, in rows. */
const LARGEST = 8;

export function hasMatrix(node: Node): boolean {
  switch (node.kind) {
    case 'matrix':
      return true;
    case 'sum':
      return node.terms.some(hasMatrix);
    case 'product':
      return node.factors.some(hasMatrix);
    case 'negative':
      return hasMatrix(node.of);
    case 'quotient':
      return hasMatrix(node.top);
    case 'power':
      return hasMatrix(node.base);
    default:
      return false;
  }
}

export function compareMatrices(g: Node, a: Node, budget: Budget): Verdict {
  const [x, y] = [rowsOf(g), rowsOf(a)];
  if (x === null || y === null) return different('a matrix and something else');
  if (x.length !== y.length || x.some((row, i) => row.length !== y[i]!.length)) {
    return different('matrices of different shapes');
  }
  const fits = x.every((row, i) => row.every((cell, j) => compare(cell, y[i]![j]!, budget).equal));
  return fits ? same('every entry of the matrix is equal') : different('an entry of the matrix differs');
}

/** The entries of what is a matrix; a vector may be written in brackets. */
function rowsOf(node: Node): Rows | null {
  if (node.kind !== 'bracketed') return entriesOf(node);
  const rows = node.items.map((item) => (item.kind === 'bracketed' ? item.items : null));
  return rows.every((row) => row !== null) ? rows : node.items.map((item) => [item]);
}

function entriesOf(node: Node): Rows | null {
  switch (node.kind) {
    case 'matrix':
      return node.rows;
    case 'negative':
      return mapped(entriesOf(node.of), negative);
    case 'quotient':
      return mapped(entriesOf(node.top), (top) => ({ kind: 'quotient', top, bottom: node.bottom }));
    case 'sum':
      return node.terms
        .map(entriesOf)
        .reduce((x, y) =>
          x && y && sameShape(x, y) ? x.map((row, i) => row.map((cell, j) => plus(cell, y[i]![j]!))) : null,
        );
    case 'product':
      return productOf(node.factors);
    case 'power':
      return powerOf(node.base, node.exponent);
    default:
      return null;
  }
}

const mapped = (rows: Rows | null, change: (cell: Node) => Node): Rows | null =>
  rows?.map((row) => row.map(change)) ?? null;
const plus = (x: Node, y: Node): Node => ({ kind: 'sum', terms: [x, y] });
const times = (x: Node, y: Node): Node => ({ kind: 'product', factors: [x, y] });
const sameShape = (x: Rows, y: Rows): boolean => x.length === y.length && x[0]!.length === y[0]!.length;

function productOf(factors: readonly Node[]): Rows | null {
  let product: Rows | null = null;
  const scalars: Node[] = [];
  for (const factor of factors) {
    if (isExpression(factor) && !hasMatrix(factor)) scalars.push(factor);
    else {
      const rows = entriesOf(factor);
      if (rows === null) return null;
      product = product === null ? rows : multiplied(product, rows);
      if (product === null) return null;
    }
  }
  return scalars.length === 0 ? product : mapped(product, (cell) => ({ kind: 'product', factors: [...scalars, cell] }));
}

function multiplied(x: Rows, y: Rows): Rows | null {
  if (Math.max(x.length, y.length, y[0]!.length) > LARGEST || x.some((row) => row.length !== y.length)) return null;
  return x.map((row) =>
    y[0]!.map((_, j) => ({ kind: 'sum', terms: row.map((cell, k) => times(cell, y[k]![j] ?? number(ZERO))) })),
  );
}

/** A whole power, or A^T: the transpose. */
function powerOf(base: Node, exponent: Node): Rows | null {
  const rows = entriesOf(base);
  if (rows === null) return null;
  if (exponent.kind === 'symbol' && /^(?:T|\\top)$/.test(exponent.name)) {
    return rows[0]!.map((_, j) => rows.map((row) => row[j] ?? number(ZERO)));
  }
  if (exponent.kind !== 'number' || exponent.value.d !== 1n || exponent.value.n < 1n || exponent.value.n > 8n)
    return null;
  let power: Rows | null = rows;
  for (let n = exponent.value.n; n > 1n && power !== null; n--) power = multiplied(power, rows);
  return power;
}

/** By expansion along the first row. Throws `Unreadable` for what is not square, or too large. */
export function determinantOf(rows: Rows): Node {
  if (rows.length > 4 || rows.some((row) => row.length !== rows.length)) throw new Unreadable('no such determinant');
  if (rows.length === 1) return rows[0]![0]!;
  const terms = rows[0]!.map((cell, j) => {
    const minor = determinantOf(rows.slice(1).map((row) => row.toSpliced(j, 1)));
    return j % 2 === 0 ? times(cell, minor) : negative(times(cell, minor));
  });
  return { kind: 'sum', terms };
}
