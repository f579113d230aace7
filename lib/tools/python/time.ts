// Dates as datetime.strptime() reads them.
import { PythonError } from '../simulator.ts';
import { type PythonValue, typeName } from './value.ts';

/** A calendar date, months from 1. */
export interface CalendarDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const daysIn = (year: number, month: number): number =>
  new Date(Date.UTC(2000 + (((year % 400) + 400) % 400), month, 0)).getUTCDate();

function textOf(text: PythonValue): string {
  if (typeof text === 'string') return text;
  throw new PythonError(`strptime() argument 1 must be str, not ${typeName(text)}`);
}

const mismatch = (text: string, format: string): PythonError =>
  new PythonError(`time data '${text}' does not match format '${format}'`);

/** strptime(text, '%Y-%m-%d') */
export function parseDate(given: PythonValue): CalendarDate {
  const text = textOf(given);
  const match = /^(\d{4})-(1[0-2]|0[1-9]|[1-9])-(3[01]|[12]\d|0[1-9]|[1-9])/.exec(text);
  if (match === null) throw mismatch(text, '%Y-%m-%d');
  if (match[0].length < text.length) throw new PythonError(`unconverted data remains: ${text.slice(match[0].length)}`);
  const [year, month, day] = match.slice(1).map(Number) as [number, number, number];
  if (year === 0) throw new PythonError(`year ${year} is out of range`);
  if (day > daysIn(year, month)) throw new PythonError('day is out of range for month');
  return { year, month, day };
}

/** strptime(text, '%Y-%m-%d %H:%M:%S') as something that sorts like it. */
export function parseTimestamp(given: PythonValue): string {
  const text = textOf(given);
  if (!/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$/.test(text)) throw mismatch(text, '%Y-%m-%d %H:%M:%S');
  return text;
}

const pad = (n: number, width: number): string => String(n).padStart(width, '0');
/** The first moment of a day, as `parseTimestamp` has it. */
export const midnight = ({ year, month, day }: CalendarDate): string =>
  `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)} 00:00:00`;
