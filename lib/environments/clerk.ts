// clerk: several turns of bookkeeping with one tool. The ledger holds a digit in each of R registers; every turn asks for a
// change of the state that the turns before should have left. The answer is a call of the tool: for each register a digit to
// write, or "keep". The ledger returns its new state with an auditor's tick or cross for every register. A wrong call that
// stands leaves a wrong ledger to the turns after it.
import { z } from 'zod';
import type { Random } from '../rng.ts';
import type { Attempt, Mode, Split, Verdict } from '../types.ts';
import type { Demonstration, Environment, EnvironmentType } from './environment.ts';
import { demonstrate, drawInSplit, estimate, FIRST, FixedPrompt, judged, MASK, NAMES } from './fixed-prompt.ts';

/** Token of digit 0; behind the digits the words of calls and audits, then instructions, then register numbers. */
const DIGIT = FIRST;
const WORDS = ['keep', 'right', 'wrong'];

const settings = z
  .strictObject({
    name: z.literal('clerk'),
    registers: z.int().min(2).max(32).default(4).describe('Registers of the ledger (R)'),
    digits: z.int().min(3).max(100).default(10).describe('Digits; calculation is modulo their number (D)'),
    turns: z.int().min(1).max(16).default(3).describe('Requests of an episode'),
    audit: z.boolean().default(true).describe('The ledger tells which of its registers are right'),
  })
  .refine((s) => s.digits ** s.registers >= 100, {
    error: 'digits ** registers must be at least 100, or training and held-out ledgers cannot be kept apart',
  });

type Settings = z.infer<typeof settings>;
type State = readonly number[];

interface Instruction {
  readonly word: string;
  /** What its two arguments are. */
  readonly arguments: readonly ('register' | 'digit' | 'none')[];
  /** Digits of the new state may be too large: the ledger takes them modulo their number. */
  run(state: State, a: number, b: number): State;
}

const put = (state: State, register: number, value: number): State => state.with(register, value);
const INSTRUCTIONS: readonly Instruction[] = [
  { word: 'add', arguments: ['register', 'digit'], run: (state, a, b) => put(state, a, state[a]! + b) },
  { word: 'copy', arguments: ['register', 'register'], run: (state, a, b) => put(state, b, state[a]!) },
  {
    word: 'swap',
    arguments: ['register', 'register'],
    run: (state, a, b) => put(put(state, a, state[b]!), b, state[a]!),
  },
  { word: 'raise all', arguments: ['digit', 'none'], run: (state, a) => state.map((value) => value + a) },
  {
    word: 'double largest',
    arguments: ['none', 'none'],
    run: (state) => {
      const largest = Math.max(...state);
      return put(state, state.indexOf(largest), 2 * largest);
    },
  },
];

interface Request {
  readonly instruction: number;
  readonly a: number;
  readonly b: number;
}

interface Errand {
  readonly initial: State;
  readonly requests: readonly Request[];
}

class Clerk extends FixedPrompt implements Environment<Errand> {
  readonly name = 'clerk';
  readonly levels: Environment['levels'];
  readonly #registers: number;
  readonly #digits: number;
  readonly #audit: boolean;
  readonly #keep: number;
  readonly #right: number;
  readonly #wrong: number;
  readonly #instruction: number;
  readonly #register: number;

  constructor({ registers, digits, turns, audit }: Settings) {
    const keep = DIGIT + digits;
    const instruction = keep + WORDS.length;
    const register = instruction + INSTRUCTIONS.length;
    super({
      ...{ vocabulary: register + registers, request: 3 + 2 * registers },
      ...{ answer: registers, feedback: 2 * registers, turns },
    });
    this.#registers = registers;
    this.#digits = digits;
    this.#audit = audit;
    [this.#keep, this.#right, this.#wrong] = [keep, keep + 1, keep + 2];
    [this.#instruction, this.#register] = [instruction, register];
    this.levels = {
      chance: this.#level((random) => this.#anyWord(random)),
      'nothing written': this.#level(() => keep),
    };
  }

  task(number: number, split: Split): Errand {
    const draw = (random: Random): Errand => ({
      initial: Array.from({ length: this.#registers }, () => random.below(this.#digits)),
      requests: Array.from({ length: this.turns }, () => this.#request(random)),
    });
    return drawInSplit(this.name, number, split, draw, ({ initial }) => initial);
  }

  key({ initial, requests }: Errand): string {
    return [initial.join(' '), ...requests.map(({ instruction, a, b }) => `${instruction} ${a} ${b}`)].join(', ');
  }

  /** The request is the instruction with the ledger as the calls that stand have left it. */
  prompt(errand: Errand, mode: Mode, previous: Attempt | null, history: readonly Attempt[]): Int32Array {
    const { instruction, a, b } = errand.requests[history.length]!;
    const words = INSTRUCTIONS[instruction]!.arguments.map((kind, i) => {
      const value = i === 0 ? a : b;
      return kind === 'none' ? MASK : kind === 'digit' ? DIGIT + value : this.#register + value;
    });
    const ledger = this.#report(this.#standing(errand, history), this.#truth(errand, history.length));
    return this.layOut(mode, [this.#instruction + instruction, ...words, ...ledger], previous);
  }

  judge(errand: Errand, answer: Int32Array, history: readonly Attempt[]): Verdict {
    const before = this.#standing(errand, history);
    const target = this.#truth(errand, history.length + 1);
    const valid = this.#isCall(answer);
    const after = valid ? this.#call(before, answer) : before;
    const right = after.filter((value, register) => value === target[register]).length;
    return {
      status: valid ? 'valid' : 'invalid',
      quality: valid ? right / this.#registers : 0,
      feedback: Int32Array.from(this.#report(after, target)),
    };
  }

  /** Writes whatever the ledger should hold, so it also repairs what earlier turns left. */
  reference(errand: Errand, history: readonly Attempt[]): Int32Array {
    return this.#writes(this.#standing(errand, history), this.#truth(errand, history.length + 1));
  }

  /** A teacher who carries out the request on the ledger as it stands, with slips. */
  demonstration(random: Random): Demonstration {
    const errand = this.task(random.uint32(), 'train');
    const history: Attempt[] = [];
    const slip = (token: number, probability: number): number =>
      random.chance(probability) ? this.#anyWord(random) : token;
    const partlyRight = (): Int32Array => {
      const share = random.uniform();
      return this.reference(errand, history).map((token) => slip(token, share));
    };
    for (let turn = random.below(this.turns); turn > 0; turn--) {
      history.push(judged(partlyRight(), (tokens) => this.judge(errand, tokens, history)));
    }
    const state = this.#standing(errand, history);
    const call = this.#writes(state, this.#run(errand.requests[history.length]!, state));
    const answer = (): Int32Array => call.map((token) => slip(token, token === this.#keep ? 0.02 : 0.3));
    return demonstrate(
      {
        prompt: (mode, previous) => this.prompt(errand, mode, previous, history),
        judge: (tokens) => this.judge(errand, tokens, history),
        answer,
        draft: () => (random.chance(0.5) ? answer() : partlyRight()),
        revise: ({ tokens, feedback }) =>
          tokens.map((token, register) =>
            feedback[this.#registers + register] === this.#wrong ? slip(call[register]!, 0.6) : slip(token, 0.03),
          ),
      },
      random,
    );
  }

  show(tokens: Int32Array): string {
    const words = [...WORDS, ...INSTRUCTIONS.map(({ word }) => word)];
    return Array.from(tokens, (token) => {
      if (token < DIGIT) return NAMES[token] ?? '?';
      if (token < this.#keep) return String(token - DIGIT);
      return words[token - this.#keep] ?? `r${token - this.#register}`;
    }).join(' ');
  }

  #request(random: Random): Request {
    const instruction = random.below(INSTRUCTIONS.length);
    const a = random.below(this.#registers);
    const other = (a + 1 + random.below(this.#registers - 1)) % this.#registers;
    const digit = 1 + random.below(this.#digits - 1); // 0 would change nothing
    const [first, second] = INSTRUCTIONS[instruction]!.arguments;
    return {
      instruction,
      a: first === 'register' ? a : first === 'digit' ? digit : 0,
      b: second === 'register' ? other : second === 'digit' ? digit : 0,
    };
  }

  #report(state: State, target: State): number[] {
    const marks = state.map((value, i) => (this.#audit ? (value === target[i] ? this.#right : this.#wrong) : MASK));
    return [...state.map((value) => DIGIT + value), ...marks];
  }

  #writes(before: State, after: State): Int32Array {
    return Int32Array.from(after, (value, register) => (value === before[register] ? this.#keep : DIGIT + value));
  }

  /** A digit or "keep". */
  #anyWord(random: Random): number {
    return DIGIT + random.below(this.#digits + 1);
  }

  #run({ instruction, a, b }: Request, state: State): State {
    return INSTRUCTIONS[instruction]!.run(state, a, b).map((value) => value % this.#digits);
  }

  /** The state after so many turns as it should be. */
  #truth({ initial, requests }: Errand, turns: number): State {
    return requests.slice(0, turns).reduce((state, request) => this.#run(request, state), initial);
  }

  #isCall(tokens: Int32Array): boolean {
    return tokens.length === this.#registers && tokens.every((token) => token >= DIGIT && token <= this.#keep);
  }

  #call(state: State, tokens: Int32Array): State {
    return state.map((value, register) => (tokens[register] === this.#keep ? value : tokens[register]! - DIGIT));
  }

  /** The state that the standing calls have left; the ledger ignores what is no call. */
  #standing({ initial }: Errand, history: readonly Attempt[]): State {
    return history.reduce<State>(
      (state, { tokens }) => (this.#isCall(tokens) ? this.#call(state, tokens) : state),
      initial,
    );
  }

  /** Mean quality of whole episodes of calls of such tokens. */
  #level(token: (random: Random) => number): number {
    return estimate((number, random) => {
      const errand = this.task(number, 'train');
      const history: Attempt[] = [];
      while (history.length < this.turns) {
        const tokens = Int32Array.from({ length: this.#registers }, () => token(random));
        history.push(judged(tokens, () => this.judge(errand, tokens, history)));
      }
      return history.reduce((sum, { quality }) => sum + quality, 0) / this.turns;
    });
  }
}

export const clerk: EnvironmentType<Settings> & { readonly settings: typeof settings } = {
  settings,
  create: (difficulty) => new Clerk(difficulty) as Environment,
};
