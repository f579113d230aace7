// Tasks of the multi-turn part of the Berkeley Function Calling Leaderboard (BFCL), from its files.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../../errors.ts';
import { type Call, parseCall } from '../python/literal.ts';
import { NotACall } from '../python/not-a-call.ts';
import { fromJson, type PythonDict } from '../python/value.ts';
import { byId, readRows } from './rows.ts';

export interface TaskMessage {
  readonly role: string;
  readonly content: string;
}

export interface ToolTask {
  readonly id: string;
  /** What the user says, by turns. */
  readonly turns: readonly (readonly TaskMessage[])[];
  /** The states that simulators begin with, by class. */
  readonly config: PythonDict;
  readonly classes: readonly string[];
  /** Names of functions that the model is not told of. */
  readonly excluded: readonly string[];
  /** The calls of the ground truth, by turns; a turn may have none. */
  readonly groundTruth: readonly (readonly Call[])[];
}

const TASK = z.object({
  id: z.string(),
  question: z.array(z.array(z.object({ role: z.string(), content: z.string() }))),
  initial_config: z.record(z.string(), z.unknown()),
  involved_classes: z.array(z.string()),
  excluded_function: z.array(z.string()).default([]),
});
const ANSWER = z.object({ id: z.string(), ground_truth: z.array(z.array(z.string())) });

/** Names of the two files in a folder: these, or those of BFCL. */
const NAMES = [
  ['multi_turn_base.jsonl', 'multi_turn_base_answers.jsonl'],
  ['BFCL_v4_multi_turn_base.json', 'possible_answer/BFCL_v4_multi_turn_base.json'],
  ['BFCL_v3_multi_turn_base.json', 'possible_answer/BFCL_v3_multi_turn_base.json'],
] as const;

/** The tasks in a folder with a file of tasks and one of answers. Throws a `UserError` that names file and line. */
export function readTaskFolder(folder: string): ToolTask[] {
  const names = NAMES.find(([tasks]) => existsSync(path.join(folder, tasks)));
  if (names === undefined) {
    throw new UserError(`${folder} has no tasks; looked for ${NAMES.map(([tasks]) => tasks).join(', ')}`);
  }
  return readTasks(path.join(folder, names[0]), path.join(folder, names[1]));
}

/** Tasks with their answers, in the order of the file. Throws a `UserError` that names file and line. */
export function readTasks(tasksFile: string, answersFile: string): ToolTask[] {
  const tasks = byId(readRows(tasksFile, TASK));
  const answers = byId(readRows(answersFile, ANSWER));
  return Array.from(tasks.values(), ({ value, where }) => {
    const answer = answers.get(value.id);
    if (answer === undefined) throw new UserError(`${where}: ${answersFile} has no answer for ${value.id}`);
    const groundTruth = answer.value.ground_truth.map((turn) => turn.map((text) => readCall(text, answer.where)));
    if (groundTruth.length !== value.question.length) {
      const counts = `${value.question.length} turns, but ${groundTruth.length} in its answer (${answer.where})`;
      throw new UserError(`${where}: ${value.id} has ${counts}`);
    }
    return {
      id: value.id,
      turns: value.question,
      config: fromJson(value.initial_config) as PythonDict,
      classes: value.involved_classes,
      excluded: value.excluded_function,
      groundTruth,
    };
  });
}

function readCall(text: string, where: string): Call {
  try {
    return parseCall(text);
  } catch (error) {
    if (error instanceof NotACall) throw new UserError(`${where}: ${text} is not a call: ${error.message}`);
    throw error;
  }
}
