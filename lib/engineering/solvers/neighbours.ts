// k nearest neighbours by Euclidean distance.
import type { Matrix } from '../generated/problem.ts';

/** For every test row the places of its k nearest training rows, one after the other. */
export function nearestNeighbours(train: Matrix, test: Matrix, k: number): Int32Array {
  const size = Math.min(k, train.rows);
  const out = new Int32Array(test.rows * size);
  const distances = new Float64Array(size);
  for (let t = 0; t < test.rows; t++) {
    const nearest = out.subarray(t * size, (t + 1) * size);
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
        nearest[place] = nearest[place - 1]!;
      }
      distances[place] = distance;
      nearest[place] = r;
    }
  }
  return out;
}

/** Mean of y over the neighbours of every test row. */
export function neighbourMeans(neighbours: Int32Array, y: readonly number[], rows: number): Float64Array {
  const size = neighbours.length / rows;
  const out = new Float64Array(rows);
  for (const [i, row] of neighbours.entries()) out[Math.floor(i / size)]! += y[row]! / size;
  return out;
}
