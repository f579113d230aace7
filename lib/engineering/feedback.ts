// What the next step is told about a program that was tried.
import type { Competition } from './competition.ts';
import type { Trial } from './trial.ts';

export interface FeedbackOptions {
  /** Of the program's output and of its error trace: the last so many characters. */
  readonly tail?: number;
}

const TAIL = 1500;

/** The score that may be shown, or what went wrong with the end of the error trace. Says nothing about the rows that decide. */
export function feedback(
  { better }: Competition,
  { run, grade, problem }: Trial,
  { tail = TAIL }: FeedbackOptions = {},
): string {
  const parts: string[] = [];
  if (grade?.valid) parts.push(`Validation score: ${digits(grade.shown)} (${better} is better).`);
  if (problem !== null) parts.push(`Failed: ${problem}.`);
  if (run !== null) {
    const output = ending(run.stdout, tail);
    const trace = problem === null ? '' : ending(run.stderr, tail);
    if (output !== '') parts.push(`Output:\n${output}`);
    if (trace !== '') parts.push(`Error:\n${trace}`);
  }
  return parts.join('\n');
}

/** Whole lines from the end of a text, where a line is short enough. */
function ending(text: string, length: number): string {
  const trimmed = text.trim();
  if (trimmed.length <= length) return trimmed;
  const tail = trimmed.slice(-length);
  const line = tail.indexOf('\n');
  return `...${line >= 0 && line < length / 2 ? tail.slice(line) : tail}`;
}

const digits = (score: number): string => String(Number(score.toPrecision(6)));
