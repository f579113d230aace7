// Calls of the public benchmark and random ones, against what the reference simulators gave. Needs EXIT_RL_DATA.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parseJson } from '../../../lib/text/json.ts';
import { check } from '../../../lib/tools/bfcl/check.ts';
import { ToolEpisode } from '../../../lib/tools/bfcl/episode.ts';
import { readFunctions } from '../../../lib/tools/bfcl/functions.ts';
import { readTaskFolder } from '../../../lib/tools/bfcl/tasks.ts';
import { dumps } from '../../../lib/tools/python/print.ts';
import { fromJson, isDict, isList, type PythonDict, type PythonValue } from '../../../lib/tools/python/value.ts';
import { SIMULATORS } from '../../../lib/tools/simulators/registry.ts';

interface Sequence {
  readonly id: string;
  readonly config: PythonDict;
  readonly classes: readonly string[];
  readonly calls: readonly string[];
  readonly results: readonly string[];
  readonly state: PythonValue;
}

/** When the expected results were computed. */
const THEN = { now: () => Date.parse('2026-11-22T17:03:53Z') };
const data = process.env['EXIT_RL_DATA'];
const folder = data === undefined ? '' : path.join(data, 'bfcl');
const skip = existsSync(folder) ? false : 'EXIT_RL_DATA names no folder with bfcl/';

/** Strict text: an int is no float, keys in any order, sets in any order, without times. */
function canonical(value: PythonValue): PythonValue {
  if (isList(value)) return value.map(canonical);
  if (!isDict(value)) return value;
  const members = Array.from(value, ([key, member]): [string, PythonValue] => [String(key), canonical(member)])
    .filter(([key]) => key !== '_last_modified')
    .map(([key, member]): [string, PythonValue] => [
      key,
      key === 'generated_ids' ? [...(member as [])].sort() : member,
    ]);
  return new Map(members.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The first difference, or null. */
function difference({ config, classes, calls, results, state }: Sequence): string | null {
  const episode = new ToolEpisode(config, classes, THEN);
  for (const [i, call] of calls.entries()) {
    const result = episode.run(call);
    if (result !== results[i]) return `${call}\n  is       ${result}\n  must be  ${results[i]}`;
  }
  const [is, must] = [dumps(canonical(episode.state())), dumps(canonical(state))];
  return is === must ? null : `state\n  is       ${is}\n  must be  ${must}`;
}

function replay(sequences: readonly Sequence[], what: string): void {
  const known = sequences.filter(({ classes }) => classes.every((name) => SIMULATORS.has(name)));
  const different = known.flatMap((sequence) => {
    const found = difference(sequence);
    return found === null ? [] : [`${sequence.id}: ${found}`];
  });
  const notRun = sequences.length - known.length;
  console.log(
    `${known.length - different.length} of ${sequences.length} ${what}, not run for want of a class: ${notRun}`,
  );
  assert.deepEqual(different, []);
}

test('methods have the parameters that the function documents name', { skip }, () => {
  let functions = 0;
  for (const [className, documents] of readFunctions(folder)) {
    const type = SIMULATORS.get(className);
    if (type === undefined) continue;
    const { methods } = new type(THEN);
    assert.deepEqual([...methods.keys()].sort(), documents.map(({ name }) => name).sort());
    for (const { name, parameters } of documents) {
      const own = methods.get(name)!.parameters;
      assert.deepEqual(own.map((parameter) => parameter.name).sort(), Object.keys(parameters.properties).sort(), name);
      const required = own.filter((parameter) => parameter.default === undefined).map((parameter) => parameter.name);
      assert.deepEqual(required.sort(), [...parameters.required].sort(), name);
      functions++;
    }
  }
  console.log(`${functions} functions`);
});

test('every task is read, and its ground truth passes the checks', { skip }, () => {
  const tasks = readTaskFolder(folder);
  const known = tasks.filter(({ classes }) => classes.every((name) => SIMULATORS.has(name)));
  const passed = known.filter((task) => {
    const { official, finalStateAndCalls } = check(task, task.groundTruth, { clock: THEN });
    return official && finalStateAndCalls;
  });
  console.log(`${passed.length} of ${tasks.length} ground truths pass, not run: ${tasks.length - known.length}`);
  assert.equal(passed.length, known.length);
});

const rows = (name: string): PythonDict[] =>
  readFileSync(path.join(folder, name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => fromJson(parseJson(line)) as PythonDict);

test('ground truth of the base tasks gives the results and states of the reference', { skip }, () => {
  const tasks = new Map(rows('multi_turn_base.jsonl').map((row) => [row.get('id'), row]));
  const sequences = rows('base_expected.jsonl').map((row): Sequence => {
    const task = tasks.get(row.get('id')!)!;
    const turns = row.get('turns') as PythonDict[];
    return {
      id: row.get('id') as string,
      config: task.get('initial_config') as PythonDict,
      classes: task.get('involved_classes') as string[],
      calls: turns.flatMap((turn) => turn.get('calls') as string[]),
      results: turns.flatMap((turn) => turn.get('results') as string[]),
      state: row.get('final_state')!,
    };
  });
  replay(sequences, 'tasks');
});

test('random calls give the results and states of the reference', { skip }, () => {
  const sequences = rows('random_calls.jsonl').map(
    (row): Sequence => ({
      id: row.get('id') as string,
      config: row.get('initial_config') as PythonDict,
      classes: [row.get('class') as string],
      calls: row.get('calls') as string[],
      results: row.get('results') as string[],
      state: row.get('final_state')!,
    }),
  );
  replay(sequences, 'sequences');
});
