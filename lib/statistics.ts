/** Mean; 0 for nothing. */
export function mean(values: readonly number[]): number {
  if (values.length === 0) return 0;
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Population variance (divides by n); 0 for nothing. */
export function variance(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const centre = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - centre) ** 2;
  return sum / values.length;
}

/** Standard deviation with n - 1; 0 for fewer than two values. */
export function sampleDeviation(values: readonly number[]): number {
  if (values.length < 2) return 0;
  return Math.sqrt((variance(values) * values.length) / (values.length - 1));
}

/** Values that are known. */
export const known = (values: readonly (number | null)[]): number[] => values.filter((value) => value !== null);
