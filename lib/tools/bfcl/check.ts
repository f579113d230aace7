// Whether calls did what a task asks for, by comparing with the ground truth's calls on simulators of their own.
import { mean } from '../../statistics.ts';
import { argumentsOf } from '../dispatch.ts';
import { type Call, parseCall } from '../python/literal.ts';
import { NotACall } from '../python/not-a-call.ts';
import { type PythonDict, type PythonValue, pythonEqual } from '../python/value.ts';
import type { Clock } from '../simulator.ts';
import { ToolEpisode } from './episode.ts';
import type { ToolTask } from './tasks.ts';

export interface Verdict {
  /** Every turn passes BFCL's checks. */
  readonly official: boolean;
  /** The fraction of the turns that pass them. */
  readonly quality: number;
  /** Paper of Exploratory Iteration: states are equal at the end, and the ground truth's calls are among those made. */
  readonly finalStateAndCalls: boolean;
  /** How much of that is there: the mean of the shares of changed attributes that are right, and of the ground truth's calls made. */
  readonly progress: number;
  /** By turns: null where it passes, or why not. */
  readonly reasons: readonly (string | null)[];
}

export interface CheckOptions {
  /** Judge so many turns from the first; all of the task's where absent. */
  readonly turns?: number;
  readonly clock?: Clock;
}

type Made = string | Call;

/**
 * Runs the calls that were made, by turns, beside the ground truth. Turns that are not there have no calls.
 *
 * A turn of BFCL passes when the ground truth has no calls in it; or when calls were made, every public attribute of every simulator
 * is equal behind it, and each result of its ground truth is among the results of all calls so far, as often.
 */
export function check(task: ToolTask, made: readonly (readonly Made[])[], options: CheckOptions = {}): Verdict {
  const [own, truth] = [task, task].map(({ config, classes }) => new ToolEpisode(config, classes, options.clock));
  const before = truth!.state();
  const wanted = task.groundTruth.slice(0, options.turns);
  const results: string[] = [];
  const reasons = wanted.map((calls, turn): string | null => {
    const madeHere = made[turn] ?? [];
    results.push(...madeHere.map((call) => own!.run(call)));
    const expected = calls.map((call) => truth!.run(call));
    if (calls.length === 0) return null;
    if (madeHere.length === 0) return 'no calls';
    const attribute = stateDifference(own!.state(), truth!.state());
    if (attribute !== null) return `the state is different: ${attribute}`;
    const missing = leftOver(expected, results, (a, b) => a === b);
    return missing.length === 0 ? null : `missing result: ${missing[0]}`;
  });
  const calls = wanted.flat();
  const notMade = leftOver(calls, made.slice(0, wanted.length).flat(), (a, b) => sameCall(truth!, a, b)).length;
  const states = { before, own: own!.state(), truth: truth!.state() };
  const isRight = stateDifference(states.own, states.truth) === null;
  const shares = [rightShare(states), calls.length === 0 ? null : 1 - notMade / calls.length];
  const passed = reasons.filter((reason) => reason === null).length;
  return {
    official: passed === reasons.length,
    quality: reasons.length === 0 ? 1 : passed / reasons.length,
    finalStateAndCalls: isRight && notMade === 0,
    progress: shares.every((share) => share === null) ? 1 : mean(shares.filter((share) => share !== null)),
    reasons,
  };
}

/** What of `wanted` is not in `given`, each of which counts once. */
function leftOver<A, B>(wanted: readonly A[], given: readonly B[], same: (a: A, b: B) => boolean): A[] {
  const rest = [...given];
  return wanted.filter((item) => {
    const index = rest.findIndex((other) => same(item, other));
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
}

/** Class.attribute of the first difference, or null. */
function stateDifference(own: PythonDict, truth: PythonDict): string | null {
  for (const [className, attributes] of truth) {
    for (const [name, value] of attributes as PythonDict) {
      if (
        !pythonEqual(comparable(name, (own.get(className) as PythonDict).get(name) ?? null), comparable(name, value))
      ) {
        return `${className}.${name}`;
      }
    }
  }
  return null;
}

interface States {
  readonly before: PythonDict;
  readonly own: PythonDict;
  readonly truth: PythonDict;
}

/** Of the attributes that anybody has changed, the share that is as in the truth; null where nobody has changed one. */
function rightShare({ before, own, truth }: States): number | null {
  let [changed, right] = [0, 0];
  for (const [className, attributes] of truth) {
    for (const [name, value] of attributes as PythonDict) {
      const [first, made] = [before, own].map((state) => (state.get(className) as PythonDict).get(name) ?? null);
      const [start, mine, wanted] = [first!, made!, value].map((state) => comparable(name, state));
      if (pythonEqual(start!, wanted!) && pythonEqual(start!, mine!)) continue;
      changed++;
      if (pythonEqual(mine!, wanted!)) right++;
    }
  }
  return changed === 0 ? null : right / changed;
}

/** Sets are lists here: their order does not count. */
function comparable(name: string | number, value: PythonValue): PythonValue {
  if (name !== 'generated_ids' || !Array.isArray(value)) return value;
  return [...(value as readonly PythonValue[])].sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

/** The same function with equal values of all parameters, however they were given. */
export function sameCall(episode: ToolEpisode, wanted: Call, given: Made): boolean {
  const call = typeof given === 'string' ? readable(given) : given;
  if (call === null || call.name !== wanted.name) return false;
  const [a, b] = [argumentsOf(episode.instances, wanted), argumentsOf(episode.instances, call)];
  return a !== null && b !== null && pythonEqual(a, b);
}

function readable(text: string): Call | null {
  try {
    return parseCall(text);
  } catch (error) {
    if (error instanceof NotACall) return null;
    throw error;
  }
}
