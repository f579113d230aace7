// Grades with a competition's own grade.py, in the sandbox. Answers and submission lie in the folder it reads; the program
// that is being judged never sees that folder.
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SandboxError } from '../sandbox/error.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { GradingContext } from './competition.ts';
import type { Grade } from './submission.ts';

export interface PythonGrader {
  /** grade.py: `grade(submission, answers)` of two data frames. */
  readonly program: string;
  readonly answers: string;
  readonly digits: number;
}

const SECONDS = 300;
const MARK = 'exit-rl-grade:';

/** Stands in for what grade.py imports of mlebench, reads both tables, and prints one line of JSON. */
const DRIVER = `
import importlib.util, json, os, sys, types
folder = os.environ["DATA_DIR"]
class InvalidSubmissionError(Exception):
    pass
def module(name, **members):
    sys.modules[name] = made = types.ModuleType(name)
    made.__path__ = []
    made.__dict__.update(members)
def say(**what):
    print("\\n${MARK}" + json.dumps(what))
try:
    import pandas
except ImportError as error:
    say(missing=str(error))
    sys.exit(0)
import logging
module("mlebench")
module("mlebench.grade_helpers", InvalidSubmissionError=InvalidSubmissionError)
module("mlebench.utils", get_logger=logging.getLogger, read_csv=pandas.read_csv)
module("mlebench.competitions")
try:
    submission = pandas.read_csv(folder + "/submission.csv")
except Exception as error:
    say(invalid="the submission is not a table: " + str(error)[:200])
    sys.exit(0)
answers = pandas.read_csv(folder + "/answers.csv")
spec = importlib.util.spec_from_file_location("grade", folder + "/grade.py")
grade = importlib.util.module_from_spec(spec)
try:
    spec.loader.exec_module(grade)
except ImportError as error:
    say(missing=str(error))
    sys.exit(0)
try:
    say(score=float(grade.grade(submission, answers)))
except InvalidSubmissionError as error:
    say(invalid=str(error)[:500])
except Exception as error:
    say(invalid=f"{type(error).__name__}: {error}"[:500])
`;

type Said = { readonly missing: string } | { readonly invalid: string } | { readonly score: number };

/** Throws a `SandboxError` where grading itself was not possible. */
export async function gradeByPython(
  sandbox: Sandbox,
  { program, answers, digits }: PythonGrader,
  submission: Uint8Array,
  { signal }: GradingContext,
): Promise<Grade> {
  const folder = mkdtempSync(path.join(tmpdir(), 'exit-rl-grade-'));
  try {
    copyFileSync(program, path.join(folder, 'grade.py'));
    copyFileSync(answers, path.join(folder, 'answers.csv'));
    writeFileSync(path.join(folder, 'submission.csv'), submission);
    chmodSync(folder, 0o755); // or the sandbox would make another copy, of every submission
    const limits = { seconds: SECONDS, cpuSeconds: SECONDS, memoryBytes: 4 * 2 ** 30 };
    const job = { language: 'python', source: DRIVER, data: folder, limits } as const;
    const { stdout, stderr, outcome } = await sandbox.run({ ...job, ...(signal ? { signal } : {}) });
    const line = stdout.split('\n').findLast((text) => text.startsWith(MARK));
    if (line === undefined)
      throw new SandboxError(`${program} did not grade (${outcome}): ${stderr.trim().slice(-500)}`);
    return toGrade(program, JSON.parse(line.slice(MARK.length)) as Said, digits);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function toGrade(program: string, said: Said, digits: number): Grade {
  if ('missing' in said) {
    throw new SandboxError(
      `${program}: ${said.missing}. Grading needs it in the sandboxed Python; EXIT_RL_PYTHON names an interpreter that has it`,
    );
  }
  if ('invalid' in said) return { valid: false, reason: said.invalid };
  if (!Number.isFinite(said.score)) return { valid: false, reason: 'the score is not a finite number' };
  const score = Math.round(said.score * 10 ** digits) / 10 ** digits;
  return { valid: true, shown: score, final: score };
}
