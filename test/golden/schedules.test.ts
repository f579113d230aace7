// Learning-rate schedules against the library's own lists (its warm-up starts at 0, ours at lr / warm-up).
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { learningRate, type Schedule } from '../../lib/schedule.ts';
import { Tally } from '../support/compare.ts';
import { folder, GOLDEN } from '../support/golden.ts';

interface Lists {
  readonly settings: { readonly lr: number; readonly warmup_steps: number; readonly total_steps: number };
  readonly [name: string]: unknown;
}

interface Optimizer {
  readonly optimizer?: {
    readonly warmup: number;
    readonly total: number;
    readonly min_ratio: number;
    readonly lr: number;
  };
}

const listsPath = path.join(GOLDEN, 'optim/schedules.json');
const lists = existsSync(listsPath) ? (JSON.parse(readFileSync(listsPath, 'utf8')) as Lists) : null;
const { manifest, cases, file } = folder<unknown, Optimizer>('optim', { title: null });
const minRatio = manifest.optimizer?.min_ratio ?? 0.1;
const close = new Tally('schedules');
const tolerance = { atol: 1e-15, rel_l2_tol: 1e-12 };

const rates = (schedule: Schedule, peak: number, total: number, steps: number): number[] =>
  Array.from({ length: steps }, (_, step) => learningRate(schedule, peak, step, total));

const KINDS: Readonly<Record<string, Omit<Schedule, 'warmup'>>> = {
  constant_with_warmup: { kind: 'constant', minRatio: 0 },
  linear: { kind: 'linear', minRatio: 0 },
  cosine: { kind: 'cosine', minRatio: 0 },
  cosine_with_min_lr: { kind: 'cosine', minRatio },
};

if (lists) {
  const { lr, warmup_steps: warmup, total_steps: total } = lists.settings;
  for (const [name, schedule] of Object.entries(KINDS)) {
    const expected = lists[name] as number[] | undefined;
    if (!expected) continue;
    test(`schedule ${name} after the warm-up`, () => {
      const own = rates({ ...schedule, warmup }, lr, total, expected.length);
      close.close(name, own.slice(warmup), expected.slice(warmup), tolerance);
    });
  }
  test('schedule of the optimizer cases', () => {
    const expected = lists['used_here'] as number[];
    close.close(
      'used_here',
      rates({ kind: 'cosine', minRatio, warmup }, lr, total, expected.length),
      expected,
      tolerance,
    );
  });
}

for (const [name] of cases) {
  test(`schedule of optim ${name}`, () => {
    const { lr, warmup, total } = manifest.optimizer!;
    const expected = file(name).numbers('lr');
    close.close(name, rates({ kind: 'cosine', minRatio, warmup }, lr, total, expected.length), expected, tolerance);
  });
}
