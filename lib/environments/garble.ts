// garble: a word arrived garbled; write the word that was sent. codebreak in words, for models that read and write text: one
// answer can hardly beat the garbled word, revising with feedback can spell the whole word.
import { z } from 'zod';
import type { Random } from '../rng.ts';
import type { Mode, Split } from '../types.ts';
import type { Environment, EnvironmentType } from './environment.ts';
import { drawInSplit } from './fixed-prompt.ts';
import type { Message } from '../text/messages.ts';
import { promptAndAnswer, type TextLimits } from './text/limits.ts';
import {
  type TextAttempt,
  type TextDemonstration,
  TextEnvironment,
  type TextTasks,
  type TextVerdict,
} from './text/text-environment.ts';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz';

const settings = z.strictObject({
  name: z.literal('garble'),
  length: z.int().min(3).max(32).default(6).describe('Letters of a word (L)'),
  letters: z.int().min(5).max(26).default(8).describe('Different letters (K): the first ones of the alphabet'),
  intact: z.number().min(0).max(1).default(0.4).describe('Probability that a letter arrives as it was sent'),
  ...promptAndAnswer(160, 12),
});

type Settings = z.infer<typeof settings>;

interface Word {
  readonly sent: string;
  readonly arrived: string;
}

class Garble implements TextTasks<Word> {
  readonly name = 'garble';
  readonly turns = 1;
  readonly limits: TextLimits;
  readonly selfIterationReward = 'plain';
  readonly levels: TextTasks<Word>['levels'];
  readonly #settings: Settings;

  constructor(given: Settings) {
    this.#settings = given;
    this.limits = given;
    const { letters, intact } = given;
    this.levels = { chance: 1 / letters, 'copy of the garbled word': intact + (1 - intact) / letters };
  }

  task(number: number, split: Split): Word {
    const draw = (random: Random): Word => {
      const sent = this.#word(random);
      return {
        sent,
        arrived: this.#mapLetters(sent, (letter) =>
          random.chance(this.#settings.intact) ? letter : this.#letter(random),
        ),
      };
    };
    return drawInSplit(this.name, number, split, draw, ({ sent }) => [...sent].map((letter) => letter.charCodeAt(0)));
  }

  key({ sent }: Word): string {
    return sent;
  }

  /** Short on purpose: a model of a hundred thousand parameters reads every byte of it. */
  messages({ arrived }: Word, mode: Mode, previous: TextAttempt | null): Message[] {
    const ask = { base: 'read', improve: 'better', diverge: 'other' }[mode];
    const current = previous === null ? '' : ` ${previous.text.slice(0, this.#settings.length)} ${previous.feedback}`;
    return [{ role: 'user', content: `${ask} ${arrived}${current}` }];
  }

  judge({ sent }: Word, answer: string): TextVerdict {
    const known = ALPHABET.slice(0, this.#settings.letters);
    const valid = answer.length === sent.length && [...answer].every((letter) => known.includes(letter));
    const marks = [...sent].map((letter, i) => {
      const given = answer[i];
      if (given === undefined || !known.includes(given)) return '?';
      return given === letter ? '=' : given < letter ? '<' : '>';
    });
    const right = marks.filter((mark) => mark === '=').length;
    return { status: valid ? 'valid' : 'invalid', quality: valid ? right / sent.length : 0, feedback: marks.join('') };
  }

  reference({ sent }: Word): string {
    return sent;
  }

  /** First answers copy half of the garbled letters and guess the others; revisions mostly follow the marks. */
  demonstration(random: Random): TextDemonstration<Word> {
    const instance = this.task(random.uint32(), 'train');
    const first = (): string =>
      this.#mapLetters(instance.arrived, (letter) => (random.chance(0.5) ? letter : this.#letter(random)));
    const kind = random.below(5);
    if (kind < 2) return { instance, mode: 'base', previous: null, answer: first() };
    const share = random.uniform();
    const partly = this.#mapLetters(instance.sent, (letter) => (random.chance(share) ? letter : this.#letter(random)));
    const text = random.chance(0.5) ? first() : partly;
    const verdict = this.judge(instance, text);
    if (verdict.status === 'infrastructure_error') throw new Error(verdict.reason);
    const previous = { text, feedback: verdict.feedback, quality: verdict.quality };
    if (kind === 4) return { instance, mode: 'diverge', previous, answer: first() };
    return { instance, mode: 'improve', previous, answer: this.#revise(text, verdict.feedback, random) };
  }

  #revise(text: string, marks: string, random: Random): string {
    const { letters } = this.#settings;
    return [...text]
      .map((letter, i) => {
        const at = ALPHABET.indexOf(letter);
        const slip = this.#letter(random);
        if (marks[i] === '=') return random.chance(0.85) ? letter : slip;
        if (marks[i] === '?' || !random.chance(0.7)) return slip;
        return marks[i] === '<' ? ALPHABET[at + 1 + random.below(letters - 1 - at)]! : ALPHABET[random.below(at)]!;
      })
      .join('');
  }

  #mapLetters(word: string, map: (letter: string) => string): string {
    return [...word].map(map).join('');
  }

  #letter(random: Random): string {
    return ALPHABET[random.below(this.#settings.letters)]!;
  }

  #word(random: Random): string {
    return Array.from({ length: this.#settings.length }, () => this.#letter(random)).join('');
  }
}

export const garble: EnvironmentType<Settings> & { readonly settings: typeof settings } = {
  settings,
  words: true,
  create: (given, codec) => new TextEnvironment(new Garble(given), codec) as Environment,
};
