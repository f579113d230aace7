// What was read, in words: for explanations.
import type { Node } from './node.ts';

/** Longer descriptions are cut, in UTF-16 code units. */
const LONGEST = 120;

/** "the interval (0, 1]", "2 values in any order: 1, 2", "the expression x^2 + 1". */
export function describe(node: Node): string {
  const text = shown(node, 0);
  return `${kindOf(node)} ${text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text}`;
}

function kindOf(node: Node): string {
  switch (node.kind) {
    case 'number':
      return node.decimal ? 'the decimal' : 'the number';
    case 'percent':
      return 'the percentage';
    case 'degrees':
      return 'the angle in degrees';
    case 'based':
      return 'the numeral';
    case 'list':
      return `${node.items.length} values in any order:`;
    case 'bracketed':
      return node.items.length === 2 ? 'the pair or interval' : 'the tuple';
    case 'setOperation':
    case 'builder':
    case 'emptySet':
    case 'numberSet':
      return 'the set';
    case 'matrix':
      return 'the matrix';
    case 'relation':
      return node.operators.every((o) => o === '=') ? 'the equation' : 'the relation';
    case 'plusMinus':
      return 'the two values';
    case 'text':
      return 'the words';
    default:
      return 'the expression';
  }
}

const DEEPEST = 12;

function shown(node: Node, depth: number): string {
  if (depth > DEEPEST) return '…';
  const of = (inner: Node): string => shown(inner, depth + 1);
  const factor = (inner: Node): string =>
    inner.kind === 'sum' || inner.kind === 'negative' || inner.kind === 'quotient' ? `(${of(inner)})` : of(inner);
  switch (node.kind) {
    case 'number':
      return node.value.d === 1n ? String(node.value.n) : `${node.value.n}/${node.value.d}`;
    case 'symbol':
      return node.name.replace(/^\\/, '');
    case 'constant':
      return node.name;
    case 'sum':
      return node.terms.map(of).join(' + ').replaceAll('+ -', '- ');
    case 'product':
      return node.factors.map(factor).join('*');
    case 'quotient':
      return `${factor(node.top)}/${factor(node.bottom)}`;
    case 'negative':
      return `-${factor(node.of)}`;
    case 'power':
      return `${factor(node.base)}^${factor(node.exponent)}`;
    case 'call':
      return `${node.name}(${node.arguments.map(of).join(', ')})`;
    case 'percent':
      return `${factor(node.of)}%`;
    case 'degrees':
      return `${factor(node.of)}°`;
    case 'based':
      return `${node.digits} in base ${node.base}`;
    case 'plusMinus':
      return `${node.left === null ? '' : `${of(node.left)} `}± ${of(node.right)}`;
    case 'series':
      return `${node.name}(${of(node.of)}, ${node.index} = ${of(node.from)} to ${of(node.to)})`;
    case 'list':
      return node.items.map(of).join(', ');
    case 'bracketed':
      return `${node.open}${node.items.map(of).join(', ')}${node.close}`;
    case 'setOperation':
      return `${of(node.left)} ${{ cup: '∪', cap: '∩', setminus: '\\' }[node.operator]} ${of(node.right)}`;
    case 'matrix':
      return `[${node.rows.map((row) => row.map(of).join(' ')).join('; ')}]`;
    case 'relation':
      return node.terms.map((term, i) => (i === 0 ? of(term) : `${node.operators[i - 1]} ${of(term)}`)).join(' ');
    case 'builder':
      return `{${of(node.of)} | ${of(node.condition)}}`;
    case 'emptySet':
      return '∅';
    case 'numberSet':
      return node.name;
    case 'text':
      return `"${node.text}"`;
  }
}
