// Problems with answers from files, in the layouts that the public data sets have.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { UserError } from '../errors.ts';
import { lastBoxed } from './boxes.ts';
import { readable } from './verify.ts';

export interface Problem {
  /** Of the data, or file:number. */
  readonly id: string;
  readonly problem: string;
  readonly answer: string;
}

/** What was left out, and why. */
export interface LeftOut {
  readonly where: string;
  readonly reason: string;
}

export interface Dataset {
  readonly problems: readonly Problem[];
  readonly leftOut: readonly LeftOut[];
}

/** Names of columns, in the order in which they are looked for. GSM8K, MATH, MATH-500, AIME, AMC, Minerva, OlympiadBench, DeepScaleR. */
const PROBLEM = ['problem', 'question', 'Problem', 'Question', 'prompt', 'input'];
const ANSWER = ['answer', 'final_answer', 'Answer', 'expected_answer', 'ground_truth', 'target', 'gold'];
const SOLUTION = ['solution', 'Solution', 'output'];
const ID = ['unique_id', 'id', 'ID', 'idx', 'problem_id'];

/**
 * Reads .jsonl, .json (an array) or .arrow. Rows without an answer, with one that cannot be read, and repeated problems are left out
 * and listed; a broken line is an error that names it.
 */
export function readProblems(file: string): Dataset {
  const problems: Problem[] = [];
  const leftOut: LeftOut[] = [];
  const seen = new Set<string>();
  for (const { row, where } of rowsOf(file)) {
    const leave = (reason: string): void => void leftOut.push({ where, reason });
    const problem = textOf(row, PROBLEM);
    if (problem === null) throw new UserError(`${where}: no problem; looked for ${PROBLEM.join(', ')}`);
    const answer = answerOf(row);
    if (answer === null) leave('no answer');
    else if (!readable(answer)) leave(`the answer cannot be read: ${answer}`);
    else if (seen.has(sameProblem(problem))) leave('the problem was there before');
    else {
      seen.add(sameProblem(problem));
      problems.push({ id: textOf(row, ID) ?? where, problem, answer });
    }
  }
  if (problems.length === 0) throw new UserError(`${file}: no problem with an answer in it`);
  return { problems, leftOut };
}

/** Equal for problems that differ in spaces and case only. */
export const sameProblem = (problem: string): string => problem.toLowerCase().replace(/[\s$]+/g, '');

type Row = Readonly<Record<string, unknown>>;

function textOf(row: Row, names: readonly string[]): string | null {
  for (const name of names) {
    const value = row[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  }
  return null;
}

function answerOf(row: Row): string | null {
  const listed = ANSWER.map((name) => row[name]).find((value) => Array.isArray(value) && value.length > 0) as
    | unknown[]
    | undefined;
  if (listed !== undefined) return listed.map(String).join(', ').replace(/\$/g, '');
  const answer = textOf(row, ANSWER);
  if (answer !== null) {
    const marked = /####\s*(.+)\s*$/.exec(answer)?.[1];
    return marked ?? (answer.length > 200 ? lastBoxed(answer) : answer);
  }
  const solution = textOf(row, SOLUTION);
  return solution === null ? null : lastBoxed(solution);
}

function* rowsOf(file: string): Generator<{ row: Row; where: string }> {
  const name = basename(file);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new UserError(`${file}: ${(error as Error).message}`);
  }
  if (name.endsWith('.arrow')) {
    let index = 0;
    try {
      for (const row of tableFromIPC(bytes)) yield { row: row!.toJSON() as Row, where: `${name}:${++index}` };
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`${file}: not an Arrow file: ${(error as Error).message}`);
    }
    return;
  }
  const text = bytes.toString('utf8');
  if (text.trimStart().startsWith('[')) {
    const list = parsed(text, file);
    if (!Array.isArray(list)) throw new UserError(`${file}: must hold an array of objects`);
    for (const [i, row] of list.entries()) yield { row: object(row, `${name}:${i + 1}`), where: `${name}:${i + 1}` };
    return;
  }
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const where = `${name}:${i + 1}`;
    yield { row: object(parsed(line, `${file}, line ${i + 1}`), where), where };
  }
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where}: not valid JSON: ${(error as Error).message}`);
  }
}

function object(value: unknown, where: string): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserError(`${where}: not an object`);
  return value as Row;
}
