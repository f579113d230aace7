// What was found, written after every part and before the next one: whoever ends this process loses one part at most.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { elapsed } from './run.mjs';

/** Writes JSON so that a reader sees the old or the new file. */
export function writeJson(file, value) {
  writeFileSync(`${file}.tmp`, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(`${file}.tmp`, file);
}

/** The lines worth keeping: both ends, for the first error may be far from the last line. */
export function excerpt(output, most = 200) {
  const lines = output.trimEnd().split('\n');
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most / 2), `... ${lines.length - most} lines ...`, ...lines.slice(-most / 2)];
}

/**
 * A part has name, status (passed, failed, skipped, or unfinished: time ran out), reason, and what else is known; `passed` and
 * `failed` count its tests, or the part itself.
 */
export class Report {
  constructor(folder, file, header) {
    mkdirSync(folder, { recursive: true });
    this.folder = folder;
    this.file = path.join(folder, file);
    this.header = header;
    this.parts = [];
  }

  /** Says what runs next. */
  begin(name) {
    console.log(`=== ${name}`);
    this.write(name);
  }

  /** What is known of the running part so far. */
  update(part) {
    this.write(part.name, [part]);
  }

  add(part) {
    const failed = part.failed ?? (part.status === 'failed' ? 1 : 0);
    const passed = part.passed ?? (part.status === 'passed' ? 1 : 0);
    this.parts.push({ ...part, passed, failed });
    console.log(
      `${part.name}: ${part.status}${part.reason ? `: ${part.reason}` : ''} (${passed} passed, ${failed} failed)`,
    );
    this.write(null);
  }

  count(status) {
    return this.parts.filter((part) => part.status === status).length;
  }

  sum(key) {
    return this.parts.reduce((total, part) => total + part[key], 0);
  }

  write(running, also = []) {
    writeJson(this.file, {
      ...this.header,
      seconds: Math.round(elapsed()),
      complete: false,
      running,
      ...this.counts(),
      parts: [...this.parts, ...also],
    });
  }

  counts() {
    return {
      passed: this.sum('passed'),
      failed: this.sum('failed'),
      skipped: this.count('skipped'),
      unfinished: this.count('unfinished'),
    };
  }

  /** Writes the end and returns the exit code. */
  end() {
    const counts = this.counts();
    const { passed, failed, skipped, unfinished } = counts;
    const complete = unfinished === 0;
    writeJson(this.file, {
      ...this.header,
      seconds: Math.round(elapsed()),
      complete,
      running: null,
      ...counts,
      parts: this.parts,
    });
    console.log(`${this.file}, ${elapsed().toFixed(0)} s`);
    if (!complete) console.log(`${unfinished} parts did not end in time`);
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    return failed > 0 || !complete ? 1 : 0;
  }
}
