// Problems made from numbers, for models that are small or data that is not there.
import type { Random } from '../rng.ts';

export interface MadeProblem {
  readonly problem: string;
  readonly answer: string;
  /** What makes it what it is. */
  readonly numbers: readonly number[];
}

type Maker = (random: Random, most: number) => MadeProblem;

const between = (random: Random, low: number, high: number): number => low + random.below(high - low + 1);

const gcd = (a: number, b: number): number => (b === 0 ? Math.abs(a) : gcd(b, a % b));

function fraction(top: number, bottom: number): string {
  const g = gcd(top, bottom) * Math.sign(bottom);
  return bottom / g === 1 ? String(top / g) : `\\frac{${top / g}}{${bottom / g}}`;
}

const plus = (x: number): string => (x < 0 ? `- ${-x}` : `+ ${x}`);

/** Each kind of problem by its name. */
export const MAKERS = {
  sum(random, most) {
    const [a, b] = [between(random, 1, most), between(random, 1, most)];
    return { problem: `What is ${a} + ${b}?`, answer: String(a + b), numbers: [1, a, b] };
  },
  difference(random, most) {
    const [a, b] = [between(random, 1, most), between(random, 1, most)];
    return { problem: `What is ${a} - ${b}?`, answer: String(a - b), numbers: [2, a, b] };
  },
  product(random, most) {
    const [a, b] = [between(random, 2, most), between(random, 2, Math.min(most, 12))];
    return { problem: `What is ${a} * ${b}?`, answer: String(a * b), numbers: [3, a, b] };
  },
  equation(random, most) {
    const [a, x, b] = [between(random, 2, 9), between(random, -most, most), between(random, 1, most)];
    return { problem: `Solve ${a}x ${plus(b)} = ${a * x + b} for x.`, answer: `x = ${x}`, numbers: [4, a, x, b] };
  },
  fractions(random, most) {
    const limit = Math.max(3, Math.min(most, 30));
    const [a, b, c, d] = [
      between(random, 1, limit),
      between(random, 2, limit),
      between(random, 1, limit),
      between(random, 2, limit),
    ];
    return {
      problem: `Write ${a}/${b} + ${c}/${d} as one fraction in lowest terms.`,
      answer: fraction(a * d + c * b, b * d),
      numbers: [5, a, b, c, d],
    };
  },
  roots(random, most) {
    const limit = Math.min(most, 20);
    const [p, q] = [between(random, -limit, limit), between(random, -limit, limit)];
    return {
      problem: `Find all solutions of x^2 ${plus(-p - q)}x ${plus(p * q)} = 0.`,
      answer: p === q ? String(p) : `${p}, ${q}`,
      numbers: [6, Math.min(p, q), Math.max(p, q)],
    };
  },
} as const satisfies Record<string, Maker>;

export type MakerName = keyof typeof MAKERS;
