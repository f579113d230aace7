// Where values lie on an axis.

export interface Tick {
  readonly at: number;
  readonly text: string;
}

export interface Scale {
  /** Place of a value on the axis, from 0 to 1. */
  readonly place: (value: number) => number;
  readonly ticks: readonly Tick[];
}

/** A linear axis from the lowest to the highest value with about `count` round ticks (1, 2 or 5 times a power of ten). */
export function linearScale(values: readonly number[], count = 6): Scale {
  let low = values.length === 0 ? 0 : Math.min(...values);
  let high = values.length === 0 ? 1 : Math.max(...values);
  if (high - low < 1e-9 * Math.max(1, Math.abs(high))) [low, high] = [low - 0.5, high + 0.5]; // a flat line
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return {
    place: (value) => (value - low) / (high - low),
    ticks: ticks.map((at) => ({ at, text: shorten(at, digits) })),
  };
}

/** Axis of numbers of steps 0, 1, 2, 4, ...: logarithmic in k + 1, with a tick at each of them. */
export function stepsScale(ks: readonly number[]): Scale {
  const most = Math.log2(Math.max(...ks, 1) + 1);
  return { place: (k) => Math.log2(k + 1) / most, ticks: ks.map((at) => ({ at, text: String(at) })) };
}

/** 1500000 as 1.5M. */
function shorten(value: number, digits: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toFixed(2))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toFixed(1))}k`;
  return value.toFixed(digits);
}
