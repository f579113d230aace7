// Competitions in MLE-bench's layout, prepared by its own tools: the data is the user's, we only read it.
//   ID/config.yaml, description.md, leaderboard.csv, grade.py      ID/prepared/public/..., ID/prepared/private/...
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { UserError } from '../errors.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { Fields } from '../text/fields.ts';
import { Answers, type Scoring } from './answers.ts';
import type { Competition } from './competition.ts';
import { CsvError, parseCsvBytes, type Table } from './csv.ts';
import { KNOWN_COMPETITIONS } from './known-competitions.ts';
import { Leaderboard } from './leaderboard.ts';
import { findMetric, METRICS } from './metrics/registry.ts';
import { gradeByPython } from './python-grader.ts';
import type { Range } from './reward.ts';
import { type Grade, gradeSubmission } from './submission.ts';

/** Scores are rounded to this many digits, as MLE-bench does. */
const DIGITS = 5;

export interface MleBenchOptions {
  /** Runs grade.py where the metric is none of ours. */
  readonly sandbox?: Sandbox;
  /** What counts as nothing and as perfect. Default: known for the paper's competitions, else the metric's or the leaderboard's. */
  readonly range?: Range;
}

interface Files {
  readonly folder: string;
  readonly config: Fields;
  readonly answers: string;
  readonly sample: string;
  readonly public: string;
}

/**
 * Opens a prepared competition. Throws a `UserError` that names the file where something is missing.
 *
 * @example const competition = openMleBench('data/spooky-author-identification', { sandbox })
 */
export function openMleBench(folder: string, options: MleBenchOptions = {}): Competition {
  const files = locate(folder);
  const { config } = files;
  const id = config.string('id');
  const leaderboardFile = path.join(folder, 'leaderboard.csv');
  const leaderboard = existsSync(leaderboardFile) ? Leaderboard.fromTable(readTable(leaderboardFile)) : null;
  const scoring = scoringOf(id, files);
  const common = {
    ...{ id, name: config.string('name', id), leaderboard, data: files.public },
    description: readText(path.join(folder, 'description.md')),
    sample: path.relative(files.public, files.sample),
  };
  const known = KNOWN_COMPETITIONS[id]?.range;
  if (scoring === null) {
    const program = path.join(folder, 'grade.py');
    const { sandbox } = options;
    const metric = config.object('grader')?.string('name', '') ?? '';
    if (!existsSync(program) || sandbox === undefined) {
      const missing = sandbox === undefined ? 'a sandbox for its grade.py' : `a file ${program}`;
      throw new UserError(`${folder}: its metric "${metric}" is none of ours, and grading it needs ${missing}`);
    }
    if (leaderboard === null)
      throw new UserError(`${leaderboardFile} is missing: it says whether lower scores are better`);
    const range = options.range ?? known ?? { worst: leaderboard.scores.at(-1)!, best: leaderboard.scores[0]! };
    const grade: Competition['grade'] = (submission, context = {}) =>
      gradeByPython(sandbox, { program, answers: files.answers, digits: DIGITS }, submission, context);
    return { ...common, better: leaderboard.better, range, grade };
  }
  const grader = ownGrader(id, scoring, files);
  const { better, best, worst } = METRICS[scoring.metric];
  if (leaderboard !== null && leaderboard.scores.length > 1 && leaderboard.better !== better) {
    throw new UserError(
      `${leaderboardFile}: ${leaderboard.better} scores are better there, but not for ${scoring.metric}`,
    );
  }
  const range = options.range ?? known ?? { worst: worst ?? leaderboard?.scores.at(-1) ?? 1, best };
  return { ...common, better, range, grade: async (submission) => grader(submission) };
}

function locate(folder: string): Files {
  const file = path.join(folder, 'config.yaml');
  let content: unknown;
  try {
    content = parse(readText(file));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${file} is not valid YAML: ${(error as Error).message}`, { cause: error });
  }
  const config = new Fields(content, file);
  const dataset = config.object('dataset') ?? new Fields({}, `${file}: dataset`);
  const prepared = path.join(folder, 'prepared');
  // Paths begin with the competition's own folder, or its copy in a data folder: only what is behind "prepared" matters.
  const inPrepared = (key: string, fallback: string): string => {
    const [, behind] = dataset.string(key, `prepared/${fallback}`).split(/(?:^|\/)prepared\//);
    const found = path.join(prepared, behind ?? fallback);
    if (!found.startsWith(`${prepared}${path.sep}`)) throw dataset.error(key, 'must be a path in prepared/');
    if (!existsSync(found)) throw new UserError(`${found} is missing: prepare the competition with MLE-bench first`);
    return found;
  };
  return {
    ...{ folder, config, public: path.join(prepared, 'public') },
    answers: inPrepared('answers', 'private/test.csv'),
    sample: inPrepared('sample_submission', 'public/sample_submission.csv'),
  };
}

/** How answers are scored by one of our metrics; null: it is none of them. */
function scoringOf(id: string, { config, sample }: Files): Scoring | null {
  const known = KNOWN_COMPETITIONS[id];
  if (known !== undefined) return known;
  const metric = findMetric(config.object('grader')?.string('name', '') ?? '');
  if (metric === null) return null;
  const [first, ...targets] = readTable(sample).columns;
  return { metric, id: first!, targets };
}

function ownGrader(id: string, scoring: Scoring, { answers: file, sample }: Files): (submission: Uint8Array) => Grade {
  const table = readTable(file);
  const unscored = KNOWN_COMPETITIONS[id]?.unscored;
  const skip = (row: readonly string[]): boolean =>
    unscored !== undefined && scoring.targets.some((name) => row[table.columns.indexOf(name)] === unscored);
  // A probability metric does not read the mark as an answer; the row keeps its place, because submissions have it.
  const kept = table.rows.map((row) => (skip(row) ? row.map((cell) => (cell === unscored ? '0' : cell)) : row));
  const answers = new Answers(scoring, { columns: table.columns, rows: kept });
  const rows = table.rows.flatMap((row, i) => (skip(row) ? [] : [i]));
  answers.check(rows);
  const otherColumns = readTable(sample).columns;
  return (submission) =>
    gradeSubmission(answers, submission, {
      ...{ shown: rows, final: rows, otherColumns, digits: DIGITS, maxBytes: MAX_SUBMISSION_BYTES },
    });
}

/** Real competitions ask for up to a hundred thousand rows. */
const MAX_SUBMISSION_BYTES = 64 * 2 ** 20;

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function readTable(file: string): Table {
  try {
    return parseCsvBytes(readFileSync(file));
  } catch (error) {
    const what = error instanceof CsvError ? error.message : `cannot be read: ${(error as Error).message}`;
    throw new UserError(`${file}: ${what}`, { cause: error });
  }
}
