// Is this answer the right one? Says why.
import { compare } from './compare.ts';
import { type Candidate, candidates, type Extraction } from './extract.ts';
import { Budget, TooMuchWork, Unreadable } from './limits.ts';
import { type Node, text } from './node.ts';
import { normalize } from './normalize.ts';
import { parse, plainText } from './parse.ts';

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
  /** What decided, in words. */
  readonly reason: string;
}

export interface VerifyOptions {
  /** How the answer is looked for. Default: lenient, as the gold answer always is; rewards want strict. */
  readonly extraction?: Extraction;
}

interface Reading {
  readonly candidate: Candidate;
  /** What it may mean, the likeliest first. */
  readonly nodes: readonly Node[];
}

/** Compares the answer in a text with the gold answer. Never throws and ends within milliseconds, whatever it is given. */
export function verify(gold: string, answer: string, { extraction = 'lenient' }: VerifyOptions = {}): Verification {
  const decide = (
    status: VerifyStatus,
    reason: string,
    found: { gold?: Candidate | null; answer?: Candidate | null } = {},
  ): Verification => ({
    status,
    equal: status === 'equal',
    gold: found.gold ?? null,
    answer: found.answer ?? null,
    reason,
  });
  let wanted: Reading | null = null;
  let given: Reading | null = null;
  try {
    const budget = new Budget();
    wanted = readGold(gold, budget);
    if (wanted === null) return decide('unreadable gold', 'the gold answer cannot be read as mathematics or words');
    const all = candidates(answer, extraction);
    if (all.length === 0) return decide('no answer', 'no answer was found in the text', { gold: wanted.candidate });
    const literal = all.find(
      ({ text: own }) => letters(own) !== '' && letters(own) === letters(wanted!.candidate.text),
    );
    if (literal === all[0]) {
      return decide('equal', 'the same text', { gold: wanted.candidate, answer: literal! });
    }
    given = read(answer, extraction, budget);
    if (given === null)
      return decide('no answer', 'what was found cannot be read', { gold: wanted.candidate, answer: all[0]! });
    const pair = { gold: wanted.candidate, answer: given.candidate };
    let reason = '';
    for (const g of wanted.nodes) {
      for (const a of given.nodes) {
        const verdict = compare(g, a, budget);
        if (verdict.equal) return decide('equal', verdict.rule, pair);
        reason ||= verdict.rule;
      }
    }
    return decide('different', reason, pair);
  } catch (error) {
    const found = { gold: wanted?.candidate ?? null, answer: given?.candidate ?? null };
    if (error instanceof TooMuchWork) return decide('undecided', error.message, found);
    // A mistake of ours: nothing is known about the answer.
    return decide('undecided', `the verifier failed: ${(error as Error).message}`, found);
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

/** A gold answer is short: where it cannot be read, its last number is not the answer. */
function readGold(source: string, budget: Budget): Reading | null {
  const reading = read(source, 'lenient', budget);
  if (reading?.candidate.place !== 'number' || source.length > 80 || /[a-z]{2,} [a-z]{2,} /i.test(source))
    return reading;
  return { candidate: { place: 'whole', text: source.trim() }, nodes: [text(plainText(normalize(source)))] };
}

function read(source: string, extraction: Extraction, budget: Budget): Reading | null {
  for (const candidate of candidates(source, extraction)) {
    try {
      const nodes = readings(candidate, budget);
      if (candidate.place === 'whole' && extraction === 'strict' && isProse(nodes[0]!)) continue;
      if (nodes.length > 0) return { candidate, nodes };
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
    }
  }
  return null;
}

/** Words that nobody marked as the answer: at most a few of them can be one. */
const isProse = (node: Node): boolean => node.kind === 'text' && node.text.split(' ').length > 4;

const DECIMAL_COMMA = /^(-?\s*)(0|\d{2,}|\d(?=,\d\d))\s*,\s*(\d+)(.*)$/;

function readings({ text: source, place }: Candidate, budget: Budget): Node[] {
  const nodes: Node[] = [];
  // 1000,99 may be one number; 1,000 and 1,2 are none of these.
  const comma = DECIMAL_COMMA.exec(source);
  const decimal =
    comma !== null && !/^[\d,]*,\d{3}(?!\d)/.test(source.replace(/^-?\s*0,.*/, '')) && !/[,;\d]/.test(comma[4]!);
  if (comma !== null && decimal) nodes.push(parse(`${comma[1]}${comma[2]}.${comma[3]}${comma[4]}`, budget));
  try {
    nodes.unshift(parse(source, budget));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    // Marked as the answer, and no mathematics: words.
    const words = plainText(normalize(source));
    if (nodes.length === 0 && (place === 'boxed' || place === 'stated') && /[a-z]/.test(words) && words.length < 200) {
      return [text(words)];
    }
    if (nodes.length === 0) throw error;
  }
  return nodes;
}

/** What is left when look and spaces do not count. */
const letters = (source: string): string =>
  normalize(source)
    .replace(/\\(?:text|textbf|mathrm)\s*\{([^{}]*)\}/g, '$1')
    .replace(/[\s$]/g, '')
    .replace(/\.$/, '');
