// Random points at which expressions are compared.
import type { Point } from './evaluate.ts';
import type { Budget } from './limits.ts';
import type { Node } from './node.ts';

/** Names of the symbols in some nodes. */
export function symbolsOf(nodes: readonly Node[], budget: Budget): Set<string> {
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

export const isConstant = (node: Node, budget: Budget): boolean => symbolsOf([node], budget).size === 0;

/** Random but always the same: every symbol has a number in [0.5, 3) by its name and the number of the point. */
export function pointOf(point: number): Point {
  return (symbol) => {
    let hash = 2166136261 ^ Math.imul(point + 1, 0x9e3779b1);
    for (let i = 0; i < symbol.length; i++) hash = Math.imul(hash ^ symbol.charCodeAt(i), 16777619);
    return 0.5 + 2.5 * fraction(hash);
  };
}

/** A number in [0, 1) by some numbers: the value of what has none, equal for equal ones. */
export function fingerprint(kind: string, ...numbers: readonly number[]): number {
  const bytes = new Uint32Array(new Float64Array(numbers.map((x) => Number(x.toPrecision(9)))).buffer);
  let hash = 2166136261;
  for (let i = 0; i < kind.length; i++) hash = Math.imul(hash ^ kind.charCodeAt(i), 16777619);
  for (const word of bytes) hash = Math.imul(Math.imul(hash ^ word, 0x9e3779b1) ^ (hash >>> 13), 16777619);
  return fraction(hash);
}

function fraction(mixed: number): number {
  let hash = mixed ^ (mixed >>> 15);
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 12;
  return (hash >>> 0) / 2 ** 32;
}
