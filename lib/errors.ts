/** Something the user can put right: printed without a stack trace, and the process ends with `exitCode`. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  readonly exitCode: number;
  /** A run that failed for this can go on as it is: what has to be put right lies outside of it. */
  readonly resumable: boolean;

  constructor(message: string, options: { exitCode?: number; resumable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode ?? 1;
    this.resumable = options.resumable ?? false;
  }
}

/** A wrong configuration or command line: exit code 2. */
export class UsageError extends UserError {
  override readonly name = 'UsageError';

  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, { ...options, exitCode: 2 });
  }
}

/** The candidate that is most likely meant by a misspelt name, or null when none is close. */
export function closest(name: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** ' (did you mean "abc"?)' or nothing. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const match = closest(name, candidates);
  return match === null ? '' : ` (did you mean "${match}"?)`;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
