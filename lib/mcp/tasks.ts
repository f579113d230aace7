// Tasks for tool servers, from a file of JSON lines: {"id", "request", "check"}.
import { z } from 'zod';
import { UserError } from '../errors.ts';
import { Random } from '../rng.ts';
import { byId, readRows } from '../tools/bfcl/rows.ts';
import type { Split } from '../types.ts';

const regex = z.string().refine(
  (text) => {
    try {
      return new RegExp(text) instanceof RegExp;
    } catch {
      return false;
    }
  },
  { error: 'no regular expression' },
);

const call = z.strictObject({ name: z.string().min(1), arguments: z.record(z.string(), z.json()).default({}) });

/** What must hold; of several parts all. */
const check = z
  .strictObject({
    /** Calls to be made, in this order; other calls may come between. Arguments that are not named are free. */
    calls: z.array(call).min(1).optional(),
    /** Matches the answer that ends the request. */
    answer: regex.optional(),
    /** A call whose result matches when the request is done. */
    result: call.extend({ matches: regex }).optional(),
  })
  .refine((parts) => Object.keys(parts).length > 0, { error: 'give calls, answer or result' });

const ROW = z.strictObject({ id: z.string().min(1), request: z.string().min(1), check });

export type McpTask = z.infer<typeof ROW>;
export type ExpectedCall = z.infer<typeof call>;

/** A fifth of the tasks is held out where nobody says which. */
const HELD_OUT_SHARE = 5;

/** `test`: the file of the held-out tasks; null: a share of the others. Throws a `UserError` that names file and line. */
export function readSplits(file: string, test: string | null): Record<Split, McpTask[]> {
  const all = tasksOf(file);
  const isHeldOut = ({ request }: McpTask): boolean => hashOf(request) % HELD_OUT_SHARE === 0;
  const held = test === null ? all.filter(isHeldOut) : tasksOf(test);
  const requests = new Set(held.map(({ request }) => request));
  const splits = { train: all.filter(({ request }) => !requests.has(request)), held_out: held };
  for (const [split, use] of [
    ['train', 'training'],
    ['held_out', 'evaluation'],
  ] as const) {
    if (splits[split].length > 0) continue;
    throw new UserError(
      `environment.tasks ${file}: no task is left for ${use}; add tasks, or name the file of the held-out ones (environment.test)`,
    );
  }
  return splits;
}

/** Of equal requests the first one counts. */
function tasksOf(file: string): McpTask[] {
  const tasks = [...byId(readRows(file, ROW)).values()].map(({ value }) => value);
  return [...new Map(tasks.toReversed().map((task) => [task.request, task])).values()].toReversed();
}

const hashOf = (text: string): number => new Random(0, 'mcp', ...Array.from(text, (c) => c.codePointAt(0)!)).uint32();
