// Where a score stands among those of others.
import { UserError } from '../errors.ts';
import { columnIndex, type Table } from './csv.ts';
import { parseNumber } from './answers.ts';

export type Medal = 'gold' | 'silver' | 'bronze';

/** Scores of a competition's entries, best first. */
export class Leaderboard {
  readonly scores: readonly number[];
  readonly better: 'higher' | 'lower';

  /** In any order. */
  constructor(scores: readonly number[], better: 'higher' | 'lower') {
    if (scores.length === 0) throw new UserError('a leaderboard needs at least one entry');
    this.better = better;
    this.scores = [...scores].sort((a, b) => (better === 'higher' ? b - a : a - b));
  }

  /** From leaderboard.csv of MLE-bench, best first: lower scores are better where the first is below the last. */
  static fromTable(table: Table): Leaderboard {
    const column = columnIndex(table, 'score');
    const scores = table.rows.map((row) => parseNumber(row[column]!.trim())).filter((score) => score !== null);
    if (scores.length === 0)
      throw new UserError('leaderboard.csv has no scores; it may be a pointer to a large file (git lfs pull)');
    return new Leaderboard(scores, scores[0]! < scores.at(-1)! ? 'lower' : 'higher');
  }

  /** Whether a score is better than another. */
  isBetter(score: number, than: number): boolean {
    return this.better === 'higher' ? score > than : score < than;
  }

  /** Share of the entries that a score beats, in [0, 1]; equal ones count half. */
  percentile(score: number): number {
    const beaten = this.scores.filter((other) => this.isBetter(score, other)).length;
    const equal = this.scores.filter((other) => other === score).length;
    return (beaten + equal / 2) / this.scores.length;
  }

  /** The score between the two halves. */
  get median(): number {
    const middle = this.scores.length >> 1;
    return this.scores.length % 2 === 1 ? this.scores[middle]! : (this.scores[middle - 1]! + this.scores[middle]!) / 2;
  }

  /** Strictly better than the median. */
  aboveMedian(score: number): boolean {
    return this.isBetter(score, this.median);
  }

  /** The scores that are just enough for each medal, by the number of teams, as on Kaggle and in MLE-bench. */
  thresholds(): Readonly<Record<Medal, number>> {
    const teams = this.scores.length;
    const share = (part: number): number => Math.max(1, Math.floor(teams * part));
    const positions =
      teams < 100
        ? [share(0.1), share(0.2), share(0.4)]
        : teams < 250
          ? [10, share(0.2), share(0.4)]
          : teams < 1000
            ? [10 + Math.floor(teams * 0.002), 50, 100]
            : [10 + Math.floor(teams * 0.002), share(0.05), share(0.1)];
    const [gold, silver, bronze] = positions.map((position) => this.scores[position - 1]!) as [number, number, number];
    return { gold, silver, bronze };
  }

  /** The medal of a score, or null. */
  medal(score: number): Medal | null {
    const thresholds = this.thresholds();
    const won = (['gold', 'silver', 'bronze'] as const).find((medal) => !this.isBetter(thresholds[medal], score));
    return won ?? null;
  }
}
