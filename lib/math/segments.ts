// Sets of real numbers as segments of the line.

/** A single point is closed at both ends. */
export interface Segment {
  readonly low: number;
  readonly high: number;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

export const WHOLE: Segment = {
  ...{ low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, lowClosed: false, highClosed: false },
};
export const point = (x: number): Segment => ({ low: x, high: x, lowClosed: true, highClosed: true });

export const near = (x: number, y: number): boolean => x === y || Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x));
const sameSegment = (s: Segment, t: Segment): boolean =>
  near(s.low, t.low) && near(s.high, t.high) && s.lowClosed === t.lowClosed && s.highClosed === t.highClosed;

export const sameSegments = (x: readonly Segment[], y: readonly Segment[]): boolean =>
  x.length === y.length && x.every((s, i) => sameSegment(s, y[i]!));

/** In order and without overlap. */
export function joined(segments: readonly Segment[]): Segment[] {
  const sorted = segments.toSorted((s, t) => s.low - t.low || Number(t.lowClosed) - Number(s.lowClosed));
  const out: Segment[] = [];
  for (const next of sorted) {
    const last = out.at(-1);
    const touches =
      last && (next.low < last.high || (near(next.low, last.high) && (next.lowClosed || last.highClosed)));
    if (!last || !touches) {
      out.push(next);
      continue;
    }
    const further = next.high > last.high && !near(next.high, last.high);
    const highClosed = further ? next.highClosed : last.highClosed || (near(next.high, last.high) && next.highClosed);
    out[out.length - 1] = { ...last, high: further ? next.high : last.high, highClosed };
  }
  return out;
}

export function complement(segments: readonly Segment[]): Segment[] {
  let rest: Segment[] = [WHOLE];
  for (const { low, high, lowClosed, highClosed } of segments) {
    const below = { ...WHOLE, high: low, highClosed: !lowClosed };
    const above = { ...WHOLE, low: high, lowClosed: !highClosed };
    rest = rest.flatMap((s) => [...common(s, below), ...common(s, above)]);
  }
  return rest;
}

export function common(s: Segment, t: Segment): Segment[] {
  const low = Math.max(s.low, t.low);
  const high = Math.min(s.high, t.high);
  const lowClosed = (s.low < low || s.lowClosed) && (t.low < low || t.lowClosed);
  const highClosed = (s.high > high || s.highClosed) && (t.high > high || t.highClosed);
  return low < high || (low === high && lowClosed && highClosed) ? [{ low, high, lowClosed, highClosed }] : [];
}
