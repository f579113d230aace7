// Where problem and answer are in a row, by the names of its fields.
import { lastBoxed } from './boxes.ts';
import type { Row } from './rows.ts';

export interface Layout {
  readonly problem: string;
  /** Null: the row has none. */
  readonly answer: string | null;
  readonly id: string | null;
  /** Name of the data set; null: its fields do not tell. */
  readonly source: string | null;
}

/** Names of fields, in the order in which they are looked for. */
const PROBLEM = ['problem', 'question', 'Problem', 'Question', 'prompt', 'input'];
const ANSWER = ['answer', 'final_answer', 'Answer', 'expected_answer', 'ground_truth', 'target', 'gold'];
const SOLUTION = ['solution', 'Solution', 'output', 'answer', 'response'];
const ID = ['unique_id', 'id', 'ID', 'idx', 'problem_id'];
const SOURCE = ['source', 'data_source', 'dataset'];

/** Null where no field holds a problem. */
export function layoutOf(row: Row): Layout | null {
  const problem = textOf(row, PROBLEM);
  if (problem === null) return null;
  return { problem, answer: answerOf(row), id: textOf(row, ID), source: textOf(row, SOURCE) ?? dataSetOf(row) };
}

/**
 * The answer itself; several of them (OlympiadBench) as a list. Of a solution (MATH, Minerva, GSM8K) what it boxes, or marks with
 * "#### ".
 */
function answerOf(row: Row): string | null {
  const listed = ANSWER.map((name) => row[name])
    .map(listOf)
    .find((list) => list !== null);
  if (listed) return withoutSigns(listed.join(', '));
  const answer = textOf(row, ANSWER);
  if (answer !== null && !isSolution(answer)) return withoutSigns(answer);
  const solution = textOf(row, SOLUTION);
  return solution === null ? null : (marked(solution) ?? lastBoxed(solution));
}

/** Longer texts tell how an answer was found; they are not one. */
const isSolution = (text: string): boolean => text.includes('####') || text.length > 200;

const marked = (solution: string): string | null => /####[ \t]*([^\n]*\S)\s*$/.exec(solution.slice(-400))?.[1] ?? null;

const withoutSigns = (answer: string): string => answer.trim().replace(/(?<!\\)\$/g, '');

/** Items of arrays and of Arrow's vectors. */
function listOf(value: unknown): string[] | null {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) return null;
  const items = [...(value as Iterable<unknown>)].map((item) => String(item));
  return items.length > 0 ? items : null;
}

function textOf(row: Row, names: readonly string[]): string | null {
  for (const name of names) {
    const value = row[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
    if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  }
  return null;
}

function dataSetOf(row: Row): string | null {
  const has = (...names: readonly string[]): boolean => names.every((name) => name in row);
  const text = (name: string): string => String(row[name] ?? '');
  if (text('answer').includes('#### ') || text('solution').includes('#### ')) return 'GSM8K';
  if (has('unique_id', 'level', 'subject')) return 'MATH-500';
  if (has('final_answer') && (has('is_multiple_answer') || has('subfield'))) return 'OlympiadBench';
  if (has('level', 'solution') && (has('type') || has('subject'))) return 'MATH';
  if (
    /aime/i.test(`${text('url')} ${text('id')}`) ||
    /^\d{4}-I{1,2}-\d+$/.test(text('ID')) ||
    has('Year', 'Problem Number')
  )
    return 'AIME';
  if (/amc/i.test(`${text('url')} ${text('id')}`)) return 'AMC';
  if (has('solution') && /minerva|ocw|\.mit\.edu/i.test(`${text('type')} ${text('url')}`)) return 'Minerva';
  return null;
}
