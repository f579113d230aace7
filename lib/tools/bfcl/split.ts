// Tasks for training and for evaluation: halves that are alike in numbers of turns and in APIs.
import { UserError } from '../../errors.ts';
import { Random } from '../../rng.ts';
import type { Split } from '../../types.ts';
import type { ToolTask } from './tasks.ts';

const codes = (text: string): number[] => Array.from(text, (c) => c.codePointAt(0)!);

/**
 * Of the tasks with equally many turns and the same APIs every other one is held out, in an order drawn by their ids
 * (arXiv 2509.04575 splits the 200 base tasks so, 100 to 100; which ones it does not say).
 */
export function stratifiedSplit(tasks: readonly ToolTask[]): Record<Split, ToolTask[]> {
  const drawn = tasks.map((task) => ({ task, place: new Random(0, 'bfcl', ...codes(task.id)).uint32() }));
  const stratum = ({ turns, classes }: ToolTask): string => `${turns.length} ${[...classes].sort().join()}`;
  const ordered = drawn.sort((a, b) => {
    const [x, y] = [stratum(a.task), stratum(b.task)];
    if (x !== y) return x < y ? -1 : 1;
    return a.place - b.place;
  });
  const split: Record<Split, ToolTask[]> = { train: [], held_out: [] };
  // Counting on through the strata: those of odd size even one another out.
  for (const [i, { task }] of ordered.entries()) split[i % 2 === 0 ? 'train' : 'held_out'].push(task);
  const place = new Map(drawn.map((entry) => [entry.task, entry.place]));
  for (const list of Object.values(split)) list.sort((a, b) => place.get(a)! - place.get(b)!);
  return split;
}

/** The tasks with the ids that are named; halves where none are. Throws a `UserError` for ids that are not there. */
export function splitOf(
  tasks: readonly ToolTask[],
  where: string,
  { train, test }: { readonly train: readonly string[] | null; readonly test: readonly string[] | null },
): Record<Split, readonly ToolTask[]> {
  if (train === null && test === null) return stratifiedSplit(tasks);
  for (const id of [...(train ?? []), ...(test ?? [])]) {
    if (!tasks.some((task) => task.id === id)) throw new UserError(`environment.data ${where}: no task "${id}"`);
  }
  const shared = train?.find((id) => test?.includes(id));
  if (shared !== undefined) throw new UserError(`environment: task "${shared}" is both in train and in test`);
  const named = (own: readonly string[] | null, others: readonly string[] | null): ToolTask[] =>
    tasks.filter(({ id }) => (own === null ? !others!.includes(id) : own.includes(id)));
  const split = { train: named(train, test), held_out: named(test, train) };
  if (split.train.length === 0 || split.held_out.length === 0) {
    throw new UserError(`environment.data ${where}: training and evaluation need a task each`);
  }
  return split;
}
