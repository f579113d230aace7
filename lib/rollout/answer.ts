// Prompts in, judged attempts out. Where verdicts take long, the next prompts are sampled while they are made.
import type { Sampled } from '../batch/sampled.ts';
import type { Environment } from '../environments/environment.ts';
import type { NativeModel } from '../native/addon.ts';
import type { Attempt } from '../types.ts';
import { type Judged, judge } from './judge.ts';
import { type Sampling, sampleAttempts } from './sample.ts';

/** What a row answers. */
export interface Asked {
  readonly instance: unknown;
  readonly history: readonly Attempt[];
}

export interface Answers {
  /** Rows of one native call each, below one another: in the order of the prompts. */
  readonly parts: readonly { readonly sampled: Sampled; readonly firstRow: number }[];
  /** One per row. */
  readonly judged: readonly Judged[];
}

/** Native calls into which the prompts of an environment with slow verdicts are cut. */
const PARTS = 4;

/**
 * Samples `samplesPerPrompt` attempts of every prompt and judges them. Random numbers are keyed by row, so the attempts do not
 * depend on how the prompts are cut.
 */
export async function answer(
  model: NativeModel,
  environment: Environment,
  prompts: readonly Int32Array[],
  asked: (row: number) => Asked,
  sampling: Sampling,
): Promise<Answers> {
  const { samplesPerPrompt, firstSequence } = sampling;
  const count = environment.judging === 'slow' ? Math.min(PARTS, prompts.length) : 1;
  const parts: Answers['parts'][number][] = [];
  const verdicts: Promise<Judged>[] = [];
  for (let part = 0; part < count; part++) {
    const [begin, end] = [border(prompts.length, part, count), border(prompts.length, part + 1, count)];
    const firstRow = begin * samplesPerPrompt;
    const sampled = await sampleAttempts(model, environment, prompts.slice(begin, end), {
      ...sampling,
      firstSequence: firstSequence + firstRow,
    });
    parts.push({ sampled, firstRow });
    for (let row = 0; row < sampled.rows; row++) {
      const { instance, history } = asked(firstRow + row);
      const verdict = judge(environment, instance, sampled.completion(row), history);
      verdict.catch(() => {}); // heard below; until then a later part may fail first
      verdicts.push(verdict);
    }
  }
  return { parts, judged: await Promise.all(verdicts) };
}

const border = (length: number, part: number, count: number): number => Math.floor((length * part) / count);
