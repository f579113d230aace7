// Is this answer the right one? Says why.
import { compare } from './compare.ts';
import { describe } from './describe.ts';
import { type Candidate, candidates, type Place } from './extract.ts';
import { Budget, LONGEST, TooMuchWork } from './limits.ts';
import { normalize } from './normalize.ts';
import { type Reading, read, readGold } from './readings.ts';

/**
 * equal, different: decided. no answer: nothing was found in the text. unreadable gold: the gold answer is at fault, nothing can be said
 * of the other. undecided: it takes more work than an answer should; nothing is known.
 */
export type VerifyStatus = 'equal' | 'different' | 'no answer' | 'unreadable gold' | 'undecided';

export interface Verification {
  readonly status: VerifyStatus;
  readonly equal: boolean;
  /** What was taken as the answer, and from where; null: nothing. */
  readonly gold: Candidate | null;
  readonly answer: Candidate | null;
  /** What was found, how it was read and which rule decided, in words. */
  readonly reason: string;
}

export interface VerifyOptions {
  /**
   * Where the answer may be. strict: \boxed{}, "#### ", "the answer is", or nothing but the answer; for rewards. lenient (default): also
   * the last formula or number.
   */
  readonly extraction?: 'strict' | 'lenient';
  /** Decimals to which numbers are compared where one is written with a point. Default: 6. */
  readonly decimals?: number;
  /** Whether -2 < x < 7 may answer for (-2, 7). Default: no, since it may only repeat the question. The reverse is always right. */
  readonly relationForSet?: boolean;
}

/** Compares the answer in a text with the gold answer. Never throws and ends within milliseconds, whatever it is given. */
export function verify(
  gold: string,
  answer: string,
  { extraction = 'lenient', decimals = 6, relationForSet = false }: VerifyOptions = {},
): Verification {
  let wanted: Reading | null = null;
  let given: Reading | null = null;
  const decide = (
    status: VerifyStatus,
    rule: string,
    found: Candidate | null = given?.candidate ?? null,
  ): Verification => ({
    ...{ status, equal: status === 'equal', gold: wanted?.candidate ?? null, answer: found },
    reason: [...said('The gold answer', wanted), ...said('The answer', given), `${capital(rule)}.`].join(' '),
  });
  try {
    const budget = new Budget({ decimals, relationForSet });
    wanted = readGold(gold, budget);
    const found = candidates(answer, extraction);
    if (wanted === null) {
      const alike = found.length > 0 && sameLetters(gold, found[0]!.text);
      if (alike) return decide('equal', 'both are the same text, though it cannot be read', found[0]!);
      return decide('unreadable gold', 'the gold answer cannot be read as mathematics or words');
    }
    if (found.length === 0) return decide('no answer', 'no answer was found in the text');
    if (sameLetters(wanted.candidate.text, found[0]!.text)) return decide('equal', 'both are the same text', found[0]!);
    given = read(found, extraction, budget);
    if (given === null) return decide('no answer', 'what was found cannot be read', found[0]!);
    let rule = '';
    for (const g of wanted.nodes) {
      for (const a of given.nodes) {
        const verdict = compare(g, a, budget);
        if (verdict.equal) return decide('equal', verdict.rule);
        rule ||= verdict.rule;
      }
    }
    return decide('different', rule);
  } catch (error) {
    if (error instanceof TooMuchWork) return decide('undecided', error.message);
    // A mistake of ours: nothing is known about the answer.
    return decide('undecided', `the verifier failed: ${(error as Error).message}`);
  }
}

/** Whether a gold answer can be read. */
export function readable(gold: string): boolean {
  try {
    return readGold(gold, new Budget()) !== null;
  } catch {
    return false;
  }
}

/** Places in words. */
export const PLACES: Readonly<Record<Place, string>> = {
  ...{ boxed: 'in \\boxed{}', marked: 'behind ####', stated: 'behind "the answer is"', whole: 'the whole text' },
  ...{ formula: 'the last formula', number: 'the last number' },
};

function said(who: string, reading: Reading | null): string[] {
  if (reading === null) return [];
  return [`${who} (${PLACES[reading.candidate.place]}) is read as ${reading.nodes.map(describe).join(', or ')}.`];
}

const capital = (rule: string): string => rule.charAt(0).toUpperCase() + rule.slice(1);

/** Whether nothing differs but look and spaces. */
function sameLetters(x: string, y: string): boolean {
  if (x.length > LONGEST || y.length > LONGEST) return false;
  const letters = lettersOf(x);
  return letters !== '' && letters === lettersOf(y);
}

const lettersOf = (source: string): string =>
  normalize(source)
    .replace(/\\(?:text|textbf|mathrm)\s*\{([^{}]*)\}/g, '$1')
    .replace(/[\s$]/g, '')
    .replace(/\.$/, '');
