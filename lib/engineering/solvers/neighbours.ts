// k nearest neighbours by Euclidean distance.
import type { Matrix } from '../generated/problem.ts';

/** Mean of y over the k nearest training rows, for every test row. */
export function nearestNeighbours(train: Matrix, y: readonly number[], test: Matrix, k: number): Float64Array {
  const size = Math.min(k, train.rows);
  const distances = new Float64Array(size);
  const values = new Float64Array(size);
  return Float64Array.from({ length: test.rows }, (_, t) => {
    distances.fill(Number.POSITIVE_INFINITY);
    for (let r = 0; r < train.rows; r++) {
      const farthest = distances[size - 1]!;
      let distance = 0;
      for (let c = 0; c < train.columns && distance < farthest; c++) {
        const difference = test.values[t * test.columns + c]! - train.values[r * train.columns + c]!;
        distance += difference * difference;
      }
      if (distance >= farthest) continue;
      let place = size - 1;
      for (; place > 0 && distances[place - 1]! > distance; place--) {
        distances[place] = distances[place - 1]!;
        values[place] = values[place - 1]!;
      }
      distances[place] = distance;
      values[place] = y[r]!;
    }
    return values.reduce((sum, value) => sum + value, 0) / size;
  });
}
