// Problems with answers from files, in the layouts that the public data sets have.
import { basename } from 'node:path';
import { UserError } from '../errors.ts';
import { layoutOf } from './layouts.ts';
import { type Row, rowsOf } from './rows.ts';
import { readable } from './verify.ts';

export interface Problem {
  /** Of the data, or file:number. */
  readonly id: string;
  readonly problem: string;
  readonly answer: string;
  /** Name of the data set, where its fields tell; else that of the file. */
  readonly source: string;
}

/** What was left out, and why. */
export interface LeftOut {
  /** file:number, counted from 1; of JSON lines the line. */
  readonly where: string;
  readonly reason: string;
}

export interface Dataset {
  readonly problems: readonly Problem[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * Reads .jsonl, .json (an array), .arrow or .parquet. Rows without an answer, with one that cannot be read, and repeated problems are left out
 * and listed; a broken line is an error that names file and line.
 */
export function readProblems(file: string): Dataset {
  const problems: Problem[] = [];
  const leftOut: LeftOut[] = [];
  const seen = new Map<string, string>();
  const ids = new Set<string>();
  for (const { row, where } of rowsOf(file)) {
    const leave = (reason: string): void => void leftOut.push({ where, reason });
    const { problem, answer, id, source } = fieldsOf(row, where);
    const before = seen.get(sameProblem(problem));
    if (answer === null) leave('no answer');
    else if (!readable(answer)) leave(`the answer cannot be read: ${answer.slice(0, 200)}`);
    else if (before !== undefined) leave(`the same problem as ${before}`);
    else {
      seen.set(sameProblem(problem), where);
      const own = id !== null && !ids.has(id) ? id : where;
      ids.add(own);
      problems.push({ id: own, problem, answer, source: source ?? basename(file).replace(/\.[^.]*$/, '') });
    }
  }
  if (problems.length === 0) throw new UserError(`${file}: no problem with an answer in it`);
  return { problems, leftOut };
}

/** Equal for problems that differ in spaces and case only. */
export const sameProblem = (problem: string): string => problem.toLowerCase().replace(/[\s$]+/g, '');

interface Fields {
  readonly problem: string;
  readonly answer: string | null;
  readonly id: string | null;
  readonly source: string | null;
}

function fieldsOf(row: Row, where: string): Fields {
  const layout = layoutOf(row);
  if (layout === null) {
    throw new UserError(
      `${where}: no problem in it; its fields are ${Object.keys(row).slice(0, 12).join(', ') || '(none)'}`,
    );
  }
  return layout;
}
