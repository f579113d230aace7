// Naive Bayes of counts.
import type { Matrix } from '../generated/problem.ts';

/** Log-odds of a 1 for the test rows; `smoothing` is added to every count. */
export function naiveBayes(train: Matrix, y: readonly number[], test: Matrix, smoothing: number): Float64Array {
  const { columns } = train;
  const counts = [new Float64Array(columns).fill(smoothing), new Float64Array(columns).fill(smoothing)] as const;
  const rows: [number, number] = [1, 1];
  for (let r = 0; r < train.rows; r++) {
    const label = y[r] === 1 ? 1 : 0;
    rows[label]++;
    for (let c = 0; c < columns; c++) counts[label][c]! += train.values[r * columns + c]!;
  }
  const total = counts.map((count) => count.reduce((sum, value) => sum + value, 0)) as [number, number];
  const weight = counts[1].map((count, c) => Math.log(count / total[1]) - Math.log(counts[0][c]! / total[0]));
  return Float64Array.from({ length: test.rows }, (_, t) => {
    let odds = Math.log(rows[1] / rows[0]);
    for (let c = 0; c < columns; c++) odds += test.values[t * columns + c]! * weight[c]!;
    return odds;
  });
}
