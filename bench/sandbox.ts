// Programs in sandboxes: from the call to the answer of an empty program, 64 at once, and what grading and making a
// competition cost.
import { generate } from '../lib/engineering/generated/generate.ts';
import { FAMILIES, generatedSettings } from '../lib/engineering/generated/settings.ts';
import { formatCsv } from '../lib/engineering/csv.ts';
import { gradeSubmission } from '../lib/engineering/submission.ts';
import { Sandbox } from '../lib/sandbox/sandbox.ts';
import type { BackendName, Language } from '../lib/sandbox/types.ts';
import { median } from './support/median.ts';
import type { BenchOptions } from './support/options.ts';
import { type Cell, digits, type Report } from './support/report.ts';

const BACKENDS: readonly (readonly [BackendName, Language])[] = [
  ['bubblewrap', 'python'],
  ['bubblewrap', 'javascript'],
  ['webassembly', 'javascript'],
];
/** Starts per repeat: one alone would be mostly scheduling. */
const STARTS = 5;
const MANY = 64;
const GRADINGS = 50;

export async function sandbox({ repeats, only }: BenchOptions): Promise<Report> {
  const rows: Cell[][] = [];
  const data: object[] = [];
  const wants = (name: string): boolean => only === null || name.includes(only);
  for (const [backend, language] of BACKENDS) {
    const name = `${backend} ${language}`;
    if (!wants(name)) continue;
    try {
      const { start, many, lost } = await programs(backend, language, repeats);
      rows.push([name, 'start, ms', digits(1e3 * median(start))]);
      rows.push([name, `${MANY} at once, s`, digits(many)], [name, 'of them lost', lost]);
      data.push({ name, start, many, lost });
    } catch (error) {
      rows.push([name, (error as Error).message.slice(0, 80), null]);
    }
  }
  for (const family of FAMILIES) {
    const name = `made competition, ${family}`;
    if (!wants(name)) continue;
    const settings = generatedSettings.parse({ family });
    generate(settings, 0); // compiled by then
    const seconds = Array.from({ length: repeats }, (_, i) => timed(() => generate(settings, i + 1)));
    const { answers, sample, shown, final } = generate(settings, 1);
    const bytes = Buffer.from(formatCsv(sample));
    const grading = Array.from({ length: repeats }, () =>
      timed(() => {
        for (let i = 0; i < GRADINGS; i++) gradeSubmission(answers, bytes, { shown, final });
      }),
    );
    rows.push([name, 'made in, CPU ms', digits(1e3 * median(seconds))]);
    rows.push([name, `gradings/s, ${sample.rows.length} rows`, digits(GRADINGS / median(grading))]);
    data.push({ name, seconds, grading: grading.map((s) => s / GRADINGS) });
  }
  const notes = [
    'Start: an empty program, one after the other, the sandbox already chosen; everything until its answer is there.',
  ];
  return { name: 'sandbox', title: 'Sandboxes and competitions', columns: ['of', 'what', 'value'], rows, notes, data };
}

async function programs(
  backend: BackendName,
  language: Language,
  repeats: number,
): Promise<{ start: number[]; many: number; lost: number }> {
  const own = new Sandbox({ backend });
  const run = (source: string): Promise<{ stdout: string }> => own.run({ language, source });
  await run('print(0)');
  const start: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const began = performance.now();
    for (let k = 0; k < STARTS; k++) await run('');
    start.push((performance.now() - began) / 1e3 / STARTS);
  }
  const began = performance.now();
  const results = await Promise.allSettled(Array.from({ length: MANY }, (_, i) => run(`print(${i} + 1)`)));
  const many = (performance.now() - began) / 1e3;
  own.close();
  const lost = results.filter(
    (result, i) => result.status === 'rejected' || Number(result.value.stdout) !== i + 1,
  ).length;
  return { start, many, lost };
}

/** CPU seconds of the process: what else the machine does must not count. */
function timed(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
