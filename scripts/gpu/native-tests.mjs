// The device tests on a card, one process per file of tests. A process that dies or hangs loses the test that was running; the
// tests after it run in another process.
import { excerpt } from './report.mjs';
import { howItEnded, isOver, left, run } from './run.mjs';

const PROGRAM = 'build/cmake/gpu_tests';

/** Names of tests by their file, without the ending. */
export async function listTests() {
  const result = await run(PROGRAM, ['--list'], { seconds: 20 });
  const files = new Map();
  for (const [, file, name] of result.output.matchAll(/^(\w+?)(?:_test)?\.cc (\w+)$/gm))
    files.set(file, [...(files.get(file) ?? []), name]);
  if (files.size === 0) throw new Error(`${PROGRAM} --list: ${howItEnded(result) ?? 'no tests'}: ${result.output}`);
  return files;
}

/** What a process says of its tests: names begun and passed and failed, and the one that was running at its end. */
function read(output) {
  const names = (word) => [...output.matchAll(new RegExp(`^${word} (\\w+)`, 'gm'))].map(([, name]) => name);
  const [begun, passed, failed] = ['RUN', 'ok', 'FAILED'].map(names);
  const ended = new Set([...passed, ...failed]);
  const summary = /^\d+ passed, \d+ failed$/m.test(output);
  return { begun, passed, failed, summary, running: begun.findLast((name) => !ended.has(name)) };
}

/**
 * Runs the tests of `files` (a map of names) as one part of the report. `seconds` for all, `each` for one process; `env(file)`;
 * `wrapper`: a command before the program. `slowFails`: whether a test that is stopped has failed; `optional`: whether a part that
 * did not end may count as passed; `refusal(output)` says why it cannot run here.
 */
export async function runTests(report, name, files, options) {
  const {
    seconds,
    each,
    env = () => ({}),
    wrapper = [],
    slowFails = true,
    optional = false,
    refusal = () => null,
  } = options;
  const deadline = Date.now() + seconds * 1000;
  const part = { name, passed: 0, failed: 0, seconds: 0, failures: [], notRun: [] };
  report.begin(name);
  for (const [file, tests] of files) {
    let wanted = tests;
    while (wanted.length > 0) {
      const rest = (deadline - Date.now()) / 1000;
      if (isOver() || rest < 1) {
        part.notRun.push(...wanted);
        break;
      }
      const [command, ...args] = [...wrapper, PROGRAM, ...wanted.map((test) => `=${test}`)];
      const result = await run(command, args, { seconds: Math.min(each, rest, left()), env: env(file) });
      const refused = refusal(result.output);
      if (refused) return report.add({ ...part, status: 'skipped', reason: refused });
      wanted = record(part, file, wanted, result, slowFails);
      report.update({ ...part, status: 'running' });
    }
  }
  report.add({ ...part, ...verdict(part, optional) });
}

/** Adds one process to the part; returns the tests that are still to be run. */
function record(part, file, wanted, result, slowFails) {
  const { begun, passed, failed, summary, running } = read(result.output);
  const how = howItEnded(result);
  part.seconds += result.seconds;
  part.passed += passed.length;
  const fail = (test, reason) => {
    part.failed += 1;
    part.failures.push({ test, reason, output: excerpt(result.output) });
    console.log(`FAILED ${test}: ${reason}\n${excerpt(result.output, 40).join('\n')}`);
  };
  for (const test of failed) fail(test, 'see the output');
  if (running && result.stopped && !slowFails) {
    part.notRun.push(running);
    part.slow = `${running}: ${result.stopped}`;
  } else if (running) fail(running, how ?? 'ended without a result');
  else if (begun.length === 0) {
    fail(file, `no test was begun, ${how ?? 'without a word'}`);
    return [];
  } else if (how && failed.length === 0) fail(file, how);
  if (summary) return [];
  const seen = new Set(begun);
  return wanted.filter((test) => !seen.has(test));
}

function verdict({ passed, failed, notRun, slow }, optional) {
  const late = notRun.length > 0 ? `no time for ${notRun.length} tests${slow ? ` (${slow})` : ''}` : '';
  if (failed > 0) return { status: 'failed', reason: late };
  if (notRun.length === 0) return { status: 'passed', reason: '' };
  return { status: optional && passed === 0 ? 'skipped' : optional ? 'passed' : 'unfinished', reason: late };
}
