// The task space of a checkpoint as an Arrow IPC file. Each column is one list, and what is shared is there once:
//   attempts:  tokens, feedback, quality; however many entries start from them
//   episodes:  numbers of attempts; however many of their turns are start points
//   entries:   the fields of Entry, in slot order; `previous` numbers attempts (-1: none), `episode` episodes
//   trained_instances, trained_starts: hashes of what has been trained on so far
// Attempts are spread over the rows of the file, the rest is in the first row.
import { type Data, RecordBatch, Schema } from 'apache-arrow';
import { dirname } from 'node:path';
import { readEachBatch, writeBatches } from '../batch/file.ts';
import { floats, integers, lists, struct, tokenLists } from '../batch/lists.ts';
import type { BufferState } from '../curriculum/buffer-state.ts';
import type { CoverageState } from '../curriculum/coverage.ts';
import { UserError } from '../errors.ts';
import type { Attempt } from '../types.ts';
import { diskError } from './files.ts';

/** What is drawn from, and what has been drawn. */
export interface CurriculumState {
  readonly buffer: BufferState;
  readonly coverage: CoverageState;
}

/** Attempts of one row of the file, at most: offsets of lists have 32 bits, and only one row is twice in memory. */
const MOST_TOKENS = 2 ** 24;

/** Writes a file, whole or not at all, and returns its checksum. */
export const writeCurriculum = (path: string, state: CurriculumState, mostTokens: number = MOST_TOKENS): number =>
  writeBatches(path, rows(state, mostTokens));

function* rows({ buffer, coverage }: CurriculumState, mostTokens: number): Generator<RecordBatch> {
  const { attempts, nextId, measured } = buffer;
  const numbers = new Map([
    ['next_id', String(nextId)],
    ['measured', String(measured)],
  ]);
  let from = 0;
  do {
    let to = from;
    for (let tokens = 0; to < attempts.length && (to === from || tokens < mostTokens); to++) {
      tokens += attempts[to]!.tokens.length + attempts[to]!.feedback.length;
    }
    const data = struct({
      attempts: row(attemptColumns(attempts.slice(from, to))),
      ...(from === 0 ? firstRow(buffer, coverage) : firstRow(NOTHING, NOTHING.coverage)),
    });
    yield new RecordBatch(new Schema(data.type.children, numbers), data);
    from = to;
  } while (from < attempts.length);
}

/** A column of one row that lists all these. */
const row = (items: Data): Data => lists(Int32Array.of(0, items.length), items);

const attemptColumns = (attempts: readonly Attempt[]): Data =>
  struct({
    tokens: tokenLists(attempts.map(({ tokens }) => tokens)).data,
    feedback: tokenLists(attempts.map(({ feedback }) => feedback)).data,
    quality: floats(Float64Array.from(attempts, ({ quality }) => quality)),
  });

type Rest = Pick<BufferState, 'episodes' | 'entries'>;

function firstRow({ episodes, entries }: Rest, { instances, starts }: CoverageState): Record<string, Data> {
  const fields = Object.entries(entries).map(([name, values]: [string, Int32Array | Float64Array]) => [
    name,
    values instanceof Int32Array ? integers(values) : floats(values),
  ]);
  return {
    episodes: row(lists(episodes.offsets, integers(episodes.answers))),
    entries: row(struct(Object.fromEntries(fields))),
    trained_instances: row(floats(instances)),
    trained_starts: row(floats(starts)),
  };
}

const [NO_INTEGERS, NO_FLOATS] = [new Int32Array(0), new Float64Array(0)];
const NOTHING: Rest & { readonly coverage: CoverageState } = {
  episodes: { offsets: Int32Array.of(0), answers: NO_INTEGERS },
  entries: {
    ...{ id: NO_FLOATS, instance: NO_INTEGERS, depth: NO_INTEGERS, previous: NO_INTEGERS, episode: NO_INTEGERS },
    ...{ turn: NO_INTEGERS, score: NO_FLOATS, born: NO_INTEGERS, scored: NO_INTEGERS },
  },
  coverage: { instances: NO_FLOATS, starts: NO_FLOATS },
};

/**
 * Reads what `writeCurriculum` wrote. Every attempt gets memory of its own, so that it is freed when the last entry that starts
 * from it leaves.
 */
export async function readCurriculum(path: string, checksum: number): Promise<CurriculumState> {
  try {
    const attempts: Attempt[] = [];
    let state: CurriculumState | null = null;
    for await (const batch of readEachBatch(path, checksum)) {
      addAttempts(attempts, items(batch, 'attempts'));
      state ??= decodeRest(batch, attempts);
    }
    return state!;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw diskError('read', path, error);
    const fix = `delete ${dirname(path)} to go on from the checkpoint before it`;
    throw new UserError(`${path} is damaged (${(error as Error).message}); ${fix}`, { cause: error });
  }
}

function items(batch: RecordBatch, name: string): Data {
  const column = batch.getChild(name)?.data[0];
  if (column === undefined) throw new Error(`it has no column "${name}"`);
  return column.children[0]!;
}

const columns = ({ type, children }: Data): Record<string, Data> =>
  Object.fromEntries(type.children.map(({ name }: { name: string }, i: number) => [name, children[i]!]));

/** Buffers in a file may be longer than what they hold. */
const flat = <T extends Int32Array | Float64Array>({ values, length }: Data): T =>
  (values as T).subarray(0, length) as T;

function addAttempts(attempts: Attempt[], added: Data): void {
  const { tokens, feedback, quality } = columns(added);
  const list = ({ valueOffsets, children }: Data, i: number): Int32Array =>
    (children[0]!.values as Int32Array).slice(valueOffsets[i], valueOffsets[i + 1]);
  for (let i = 0; i < added.length; i++) {
    attempts.push({ tokens: list(tokens!, i), feedback: list(feedback!, i), quality: quality!.values[i] });
  }
}

function decodeRest(batch: RecordBatch, attempts: readonly Attempt[]): CurriculumState {
  const number = (name: string): number => Number(batch.schema.metadata.get(name));
  const episodes = items(batch, 'episodes');
  const entries = Object.entries(columns(items(batch, 'entries'))).map(([name, column]) => [name, flat(column)]);
  return {
    buffer: {
      ...{ nextId: number('next_id'), measured: number('measured'), attempts },
      episodes: {
        offsets: episodes.valueOffsets.subarray(0, episodes.length + 1),
        answers: flat<Int32Array>(episodes.children[0]!),
      },
      entries: Object.fromEntries(entries),
    },
    coverage: {
      instances: flat(items(batch, 'trained_instances')),
      starts: flat(items(batch, 'trained_starts')),
    },
  };
}
