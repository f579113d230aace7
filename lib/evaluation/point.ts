// From episodes to the numbers of one point of a curve.
import { known, mean, sampleDeviation } from '../statistics.ts';
import type { EpisodeOutcome } from './episodes.ts';
import type { CurvePoint } from './evaluate.ts';

type Values = readonly (number | null)[];

/** A point without its intervals, and what they are made from: one value per instance. */
export interface Comparison {
  readonly point: Omit<CurvePoint, 'intervals'>;
  readonly byInstance: Readonly<Record<keyof CurvePoint['intervals'], Values>>;
}

/** Compares episodes at k with the same ones at k = 0. Rows: instance 0 sample 0, instance 0 sample 1, ... */
export function comparePoint(
  k: number,
  outcomes: readonly EpisodeOutcome[],
  first: readonly EpisodeOutcome[],
  samples: number,
  turns: number,
): Comparison {
  const perInstance = (value: (row: number) => number | null): Values =>
    averaged(
      outcomes.map((_, row) => value(row)),
      samples,
    );
  const isRight = (quality: number): number => (quality === 1 ? 1 : 0);
  const right = (outcome: EpisodeOutcome): number | null => whenKnown(outcome.quality, isRight);
  const changes = outcomes.map((outcome, row) => difference(right(outcome), right(first[row]!)));
  const byInstance = {
    quality: perInstance((row) => outcomes[row]!.quality),
    delta: perInstance((row) => difference(outcomes[row]!.quality, first[row]!.quality)),
    best: perInstance((row) => outcomes[row]!.best),
    solved: perInstance((row) => right(outcomes[row]!)),
    // A sum, so an unknown change counts as none; times `samples` to undo the average.
    netCorrections: perInstance((row) => (changes[row] ?? 0) * samples),
    firstTurn: perInstance((row) => outcomes[row]!.firstTurn),
  };
  const qualities = known(byInstance.quality);
  const quality = mean(qualities);
  const wrongToRight = changes.filter((change) => change === 1).length;
  const rightToWrong = changes.filter((change) => change === -1).length;
  return {
    byInstance,
    point: {
      k,
      quality,
      error: sampleDeviation(qualities) / Math.sqrt(Math.max(1, qualities.length)),
      delta: mean(known(byInstance.delta)),
      best: mean(known(byInstance.best)),
      solved: mean(known(byInstance.solved)),
      wrongToRight,
      rightToWrong,
      netCorrections: wrongToRight - rightToWrong,
      firstTurn: mean(known(byInstance.firstTurn)),
      firstTurnSolved: mean(known(perInstance((row) => whenKnown(outcomes[row]!.firstTurn, isRight)))),
      totalReturn: quality * turns,
      revisions: mean(outcomes.map(({ revisions }) => revisions)),
      unjudged: outcomes.filter((outcome) => outcome.quality === null).length,
    },
  };
}

const whenKnown = (value: number | null, map: (value: number) => number): number | null =>
  value === null ? null : map(value);

const difference = (now: number | null, before: number | null): number | null =>
  now === null || before === null ? null : now - before;

/** Mean over the known samples of each instance; null where there is none. */
function averaged(values: Values, samples: number): Values {
  return Array.from({ length: values.length / samples }, (_, i) => {
    const own = known(values.slice(i * samples, (i + 1) * samples));
    return own.length === 0 ? null : mean(own);
  });
}
