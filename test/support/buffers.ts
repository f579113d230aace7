// Task buffers under random load.
import { join } from 'node:path';
import type { TaskBuffer } from '../../lib/curriculum/buffer.ts';
import type { NewEntry } from '../../lib/curriculum/entry.ts';
import type { Random } from '../../lib/rng.ts';
import { type CurriculumState, readCurriculum, writeCurriculum } from '../../lib/runs/curriculum-file.ts';
import { inTemporaryFolder } from './cli.ts';

/** A start point with a score; the rest does not matter. */
export const startPoint = (score: number, instance = 0): NewEntry => ({
  ...{ instance, depth: 1, score, born: 0, scored: 0, episode: [], turn: 0 },
  previous: { tokens: Int32Array.of(instance, 2), feedback: Int32Array.of(3), quality: 0.5 },
});

/** One step of a run: old entries leave, some are measured anew, others enter. Scores have ties and zeros. */
export function churn(buffer: TaskBuffer, random: Random, step: number, maxAge: number): void {
  buffer.expire(step - maxAge);
  for (let i = 0; i < 4; i++) {
    const score = random.below(11) / 40;
    if (buffer.size > 0 && random.chance(0.5)) buffer.rescore(random.pick(buffer.entries).id, score, step);
    else {
      const start = startPoint(score, random.below(30));
      buffer.insert({
        ...start,
        depth: random.below(4),
        born: step,
        scored: step - (i === 0 ? 0 : random.below(Math.min(step, 3) + 1)),
      });
    }
  }
}

/** What a checkpoint makes of a task space. `mostTokens`: of one row of the file. */
export const throughFile = (state: CurriculumState, mostTokens?: number): Promise<CurriculumState> =>
  inTemporaryFolder((folder) => {
    const path = join(folder, 'curriculum.arrow');
    return readCurriculum(path, writeCurriculum(path, state, mostTokens));
  });
