// Documents of made-up words by three authors. Each has words of its own, uses the others' behind a word that negates, and
// everybody shares a vocabulary. The probability of an author given a document is known exactly.
import type { Random } from '../../rng.ts';
import type { Matrix, Problem } from './problem.ts';
import type { GeneratedSettings } from './settings.ts';

const AUTHORS = ['ANO', 'BRE', 'CIV'];
const OWN_WORDS = 25;
const COMMON_WORDS = 120;
const NEGATION = ['nol', 'vix'];
/** Words that the reference solvers look at. */
const FEATURES = 120;

/** What a slot of a document is: a common word, or a word of an author, perhaps behind a negation. */
interface Slot {
  readonly word: string;
  readonly author: number | null;
  readonly negated: boolean;
}

interface Rates {
  /** Probability of a word of the author, of the next author's behind a negation, and of anybody's with and without one. */
  readonly own: number;
  readonly turned: number;
  readonly anybody: number;
  readonly anybodyTurned: number;
}

export function text(settings: GeneratedSettings, random: Random): Problem {
  const { rows, testRows, columns, noise, interactions, missing, shift, imbalance } = settings;
  const words = wordList(AUTHORS.length * OWN_WORDS + COMMON_WORDS, random);
  const ownWords = AUTHORS.map((_, k) => words.slice(k * OWN_WORDS, (k + 1) * OWN_WORDS));
  const common = words.slice(AUTHORS.length * OWN_WORDS);
  const turning = interactions > 0 ? 1 : 0;
  const random0 = 0.1 * Math.min(1, noise);
  const rates: Rates = {
    own: 0.1,
    turned: 0.08 * turning,
    anybody: random0,
    anybodyTurned: 0.3 * random0 * turning + 1e-6,
  };
  const shares = AUTHORS.map((_, k) => (k === 0 ? imbalance : (1 - imbalance) / (AUTHORS.length - 1)));

  const document = (author: number, length: number): Slot[] =>
    Array.from({ length }, () => slot(author, rates, ownWords, common, random));
  const truth = Array.from({ length: rows + testRows }, () => drawFrom(shares, random));
  const documents = truth.map((author, i) => {
    if (random.chance(missing)) return [];
    const length = Math.ceil((columns * 4 * (0.5 + random.uniform())) / (i < rows ? 1 : 1 + shift));
    return document(author, length);
  });
  const written = documents.map((slots) => [
    slots.map(({ word, negated }) => (negated ? `${random.pick(NEGATION)} ${word}` : word)).join(' '),
  ]);
  const posterior = documents.slice(rows).map((slots) => posteriorOf(slots, rates, shares));
  return {
    title: 'Whose lines?',
    story:
      'Column `text` is a short text in a language of which nothing is known. The target `author` is who wrote it.',
    metric: 'multiclass_log_loss',
    classes: AUTHORS,
    target: 'author',
    features: ['text'],
    train: written.slice(0, rows),
    test: written.slice(rows),
    trainTruth: truth.slice(0, rows),
    testTruth: truth.slice(rows),
    ideal: AUTHORS.map((_, k) => posterior.map((row) => row[k]!)),
    design: counts(documents, truth, rows),
  };
}

function slot(
  author: number,
  rates: Rates,
  ownWords: readonly string[][],
  common: readonly string[],
  random: Random,
): Slot {
  const { own, turned, anybody, anybodyTurned } = rates;
  const of = (who: number, negated: boolean): Slot => ({ word: random.pick(ownWords[who]!), author: who, negated });
  let u = random.uniform();
  if (u < own) return of(author, false);
  u -= own;
  if (u < turned) return of((author + 1) % AUTHORS.length, true);
  u -= turned;
  if (u < anybody) return of(random.below(AUTHORS.length), false);
  u -= anybody;
  if (u < anybodyTurned) return of(random.below(AUTHORS.length), true);
  return { word: random.pick(common), author: null, negated: false };
}

/** P(author | document): slots are independent, common words say nothing. */
function posteriorOf(
  slots: readonly Slot[],
  { own, turned, anybody, anybodyTurned }: Rates,
  shares: readonly number[],
): number[] {
  const logs = shares.map((share, k) => {
    let log = Math.log(share);
    for (const { author, negated } of slots) {
      if (author === null) continue;
      const likelihood = negated
        ? ((k + 1) % AUTHORS.length === author ? turned : 0) + anybodyTurned / AUTHORS.length
        : (k === author ? own : 0) + anybody / AUTHORS.length + 1e-9;
      log += Math.log(likelihood);
    }
    return log;
  });
  const top = Math.max(...logs);
  const odds = logs.map((log) => Math.exp(log - top));
  const total = odds.reduce((sum, value) => sum + value, 0);
  return odds.map((value) => value / total);
}

function drawFrom(shares: readonly number[], random: Random): number {
  let u = random.uniform();
  for (const [k, share] of shares.entries()) {
    if (u < share) return k;
    u -= share;
  }
  return shares.length - 1;
}

const ONSETS = ['b', 'd', 'f', 'g', 'k', 'l', 'm', 'n', 'p', 'r', 's', 't', 'v', 'z', 'st', 'tr'];
const VOWELS = ['a', 'e', 'i', 'o', 'u', 'ai', 'ou'];

/** Different words, none of them a negation. */
function wordList(count: number, random: Random): string[] {
  const words = new Set<string>();
  const syllable = (): string => random.pick(ONSETS) + random.pick(VOWELS);
  while (words.size < count) words.add(syllable() + syllable() + (random.chance(0.4) ? syllable() : ''));
  return [...words];
}

/** How often the words occur that differ most between authors in the training documents. */
function counts(documents: readonly (readonly Slot[])[], truth: readonly number[], rows: number): Problem['design'] {
  const perAuthor = new Map<string, number[]>();
  for (const [i, slots] of documents.slice(0, rows).entries()) {
    for (const { word } of slots) {
      const counted = perAuthor.get(word) ?? AUTHORS.map(() => 0);
      counted[truth[i]!]!++;
      perAuthor.set(word, counted);
    }
  }
  const contrast = (counted: readonly number[]): number => Math.max(...counted) - Math.min(...counted);
  const chosen = [...perAuthor]
    .sort((a, b) => contrast(b[1]) - contrast(a[1]) || (a[0] < b[0] ? -1 : 1))
    .slice(0, FEATURES);
  const place = new Map(chosen.map(([word], i) => [word, i]));
  const of = (part: readonly (readonly Slot[])[]): Matrix => {
    const values = new Float64Array(part.length * chosen.length);
    for (const [i, slots] of part.entries()) {
      for (const { word } of slots) {
        const column = place.get(word);
        if (column !== undefined) values[i * chosen.length + column]!++;
      }
    }
    return { rows: part.length, columns: chosen.length, values };
  };
  return { train: of(documents.slice(0, rows)), test: of(documents.slice(rows)) };
}
