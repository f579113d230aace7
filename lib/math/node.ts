// What an answer is once it is read: an expression, or something made of expressions.
import type { Rational } from './rational.ts';

export type RelationOperator = '=' | '<' | '>' | '<=' | '>=' | '!=' | 'in' | '~';

export type Node =
  /** `decimal`: written with a point, so perhaps rounded. */
  | { readonly kind: 'number'; readonly value: Rational; readonly decimal: boolean }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'constant'; readonly name: 'pi' | 'e' | 'i' | 'infinity' }
  | { readonly kind: 'sum'; readonly terms: readonly Node[] }
  | { readonly kind: 'product'; readonly factors: readonly Node[] }
  | { readonly kind: 'quotient'; readonly top: Node; readonly bottom: Node }
  | { readonly kind: 'negative'; readonly of: Node }
  | { readonly kind: 'power'; readonly base: Node; readonly exponent: Node }
  | { readonly kind: 'call'; readonly name: string; readonly arguments: readonly Node[] }
  | { readonly kind: 'percent'; readonly of: Node }
  | { readonly kind: 'degrees'; readonly of: Node }
  /** Digits in another base. */
  | { readonly kind: 'based'; readonly digits: string; readonly base: number }
  | { readonly kind: 'plusMinus'; readonly left: Node | null; readonly right: Node }
  /** sum or product over an index. */
  | {
      readonly kind: 'series';
      readonly name: 'sum' | 'prod';
      readonly index: string;
      readonly from: Node;
      readonly to: Node;
      readonly of: Node;
    }
  /** Without brackets, or with those of a set: order does not count. */
  | { readonly kind: 'list'; readonly items: readonly Node[]; readonly braces: boolean }
  /** In round or square brackets: a tuple, or, of two items, an interval. */
  | { readonly kind: 'bracketed'; readonly open: '(' | '['; readonly close: ')' | ']'; readonly items: readonly Node[] }
  | {
      readonly kind: 'setOperation';
      readonly operator: 'cup' | 'cap' | 'setminus';
      readonly left: Node;
      readonly right: Node;
    }
  | { readonly kind: 'matrix'; readonly rows: readonly (readonly Node[])[] }
  /** a < b < c: n terms, n - 1 operators. */
  | { readonly kind: 'relation'; readonly terms: readonly Node[]; readonly operators: readonly RelationOperator[] }
  /** { x | condition } */
  | { readonly kind: 'builder'; readonly of: Node; readonly condition: Node }
  | { readonly kind: 'emptySet' }
  | { readonly kind: 'numberSet'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string };

export const number = (value: Rational, decimal = false): Node => ({ kind: 'number', value, decimal });
export const negative = (of: Node): Node => ({ kind: 'negative', of });
export const call = (name: string, ...args: Node[]): Node => ({ kind: 'call', name, arguments: args });
export const text = (content: string): Node => ({ kind: 'text', text: content });

/** Whether a node is one value: nothing with brackets, relations or words. */
export function isExpression(node: Node): boolean {
  switch (node.kind) {
    case 'list':
    case 'bracketed':
    case 'setOperation':
    case 'matrix':
    case 'relation':
    case 'builder':
    case 'emptySet':
    case 'numberSet':
    case 'text':
    case 'plusMinus':
      return false;
    default:
      return true;
  }
}
