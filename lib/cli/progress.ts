// One line of progress with the time left, on stderr. On a terminal it rewrites itself; elsewhere a line now and then.
import { performance } from 'node:perf_hooks';
import type { Observer } from '../runs/experiment.ts';
import type { StepStats } from '../types.ts';

const EVERY_MS = 2000;

export class Progress implements Observer {
  readonly #out: NodeJS.WriteStream;
  #phase = '';
  #steps = 0;
  #from = 0;
  #started = 0;
  #printed = Number.NEGATIVE_INFINITY;
  #line = '';
  /** Newest value of every statistic: evaluations come only now and then. */
  #latest: Record<string, number | null> = {};

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out;
  }

  phase(name: string, done: number, steps: number): void {
    this.end();
    this.#phase = name;
    this.#steps = steps;
    this.#from = done;
    this.#started = performance.now();
    this.#latest = {};
    this.#printed = Number.NEGATIVE_INFINITY;
    if (done > 0) this.warn(`${name}: going on after step ${done}`);
  }

  step(_name: string, stats: StepStats): void {
    Object.assign(this.#latest, stats);
    const done = stats['step'] ?? 0;
    this.#line = this.#text(done);
    const now = performance.now();
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${this.#line.slice(0, (this.#out.columns ?? 100) - 1)}`);
    else if (now - this.#printed >= EVERY_MS || done === this.#steps) {
      this.#out.write(`${this.#line}\n`);
      this.#printed = now;
    }
  }

  warn(message: string): void {
    this.end();
    this.#out.write(`${message}\n`);
  }

  /** Leaves the line behind. */
  end(): void {
    if (this.#out.isTTY && this.#line !== '') this.#out.write('\n');
    this.#line = '';
  }

  #text(done: number): string {
    const seconds = (performance.now() - this.#started) / 1000;
    const made = done - this.#from;
    const parts = [`${this.#phase} ${done}/${this.#steps}`];
    const show = (label: string, key: string, digits: number): void => {
      const value = this.#latest[key];
      if (typeof value === 'number') parts.push(`${label} ${value.toFixed(digits)}`);
    };
    show('loss', 'loss', 3);
    show('reward', 'reward', 3);
    for (const key of Object.keys(this.#latest))
      if (key.startsWith('quality@')) show(`held-out ${key.slice(7)}`, key, 3);
    if (this.#latest['depth']) show('depth', 'depth', 1);
    if (made > 0) parts.push(`${clock((seconds / made) * (this.#steps - done))} left`);
    return parts.join(' · ');
  }
}

/** 0:07, 12:34, 1:02:03 */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
