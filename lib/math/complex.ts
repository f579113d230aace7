// Complex numbers in floating point.

export interface Complex {
  readonly re: number;
  readonly im: number;
}

export const complex = (re: number, im = 0): Complex => ({ re, im });
export const plus = (a: Complex, b: Complex): Complex => ({ re: a.re + b.re, im: a.im + b.im });
export const minus = (a: Complex): Complex => ({ re: -a.re, im: -a.im });
export const size = (a: Complex): number => Math.hypot(a.re, a.im);

export function times(a: Complex, b: Complex): Complex {
  // Infinities of real numbers must not become NaN.
  if (a.im === 0 && b.im === 0) return complex(a.re * b.re);
  return { re: a.re * b.re - a.im * b.im, im: a.re * b.im + a.im * b.re };
}

export function over(a: Complex, b: Complex): Complex {
  if (a.im === 0 && b.im === 0) return complex(a.re / b.re);
  const scale = b.re * b.re + b.im * b.im;
  return { re: (a.re * b.re + a.im * b.im) / scale, im: (a.im * b.re - a.re * b.im) / scale };
}

export function expOf({ re, im }: Complex): Complex {
  const r = Math.exp(re);
  return im === 0 ? complex(r) : { re: r * Math.cos(im), im: r * Math.sin(im) };
}

export function logOf({ re, im }: Complex): Complex {
  if (im === 0 && re > 0) return complex(Math.log(re));
  return { re: Math.log(Math.hypot(re, im)), im: Math.atan2(im, re) };
}

/** Principal value; of real numbers real where there is one. */
export function powerOf(a: Complex, b: Complex): Complex {
  if (a.im === 0 && b.im === 0) {
    const real = a.re ** b.re;
    if (!Number.isNaN(real)) return complex(real);
  }
  if (a.re === 0 && a.im === 0) return complex(0);
  return expOf(times(b, logOf(a)));
}

export function sqrtOf(a: Complex): Complex {
  if (a.im === 0) return a.re >= 0 ? complex(Math.sqrt(a.re)) : { re: 0, im: Math.sqrt(-a.re) };
  return powerOf(a, complex(0.5));
}

const I = complex(0, 1);
const half = (a: Complex): Complex => ({ re: a.re / 2, im: a.im / 2 });

export function sinOf(a: Complex): Complex {
  if (a.im === 0) return complex(Math.sin(a.re));
  const e = expOf(times(I, a));
  return half(times(minus(I), plus(e, minus(over(complex(1), e)))));
}

export function cosOf(a: Complex): Complex {
  if (a.im === 0) return complex(Math.cos(a.re));
  const e = expOf(times(I, a));
  return half(plus(e, over(complex(1), e)));
}
