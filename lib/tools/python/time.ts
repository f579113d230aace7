// Dates and times as datetime.strptime() reads them.
import { PythonError, PythonTypeError } from '../simulator.ts';
import { repr } from './print.ts';
import { type PythonValue, typeName } from './value.ts';

/** A calendar date, months from 1. */
export interface CalendarDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const DATE = String.raw`(\d{4})-(1[0-2]|0[1-9]|[1-9])-(3[01]|[12]\d|0[1-9]|[1-9]| [1-9])`;
const TIME = String.raw`(2[0-3]|[01]\d|\d):([0-5]\d|\d):(6[01]|[0-5]\d|\d)`;

interface Format {
  readonly name: string;
  readonly pattern: RegExp;
}

const DATES: Format = { name: '%Y-%m-%d', pattern: new RegExp(`^${DATE}`) };
const MOMENTS: Format = { name: '%Y-%m-%d %H:%M:%S', pattern: new RegExp(`^${DATE}\\s+${TIME}`) };

/** The groups of a format. */
function read(text: PythonValue, { name, pattern }: Format): string[] {
  if (typeof text !== 'string') {
    throw new PythonTypeError(`strptime() argument 1 must be str, not ${text === null ? 'None' : typeName(text)}`);
  }
  const match = pattern.exec(text);
  if (match === null) throw new PythonError(`time data ${repr(text)} does not match format ${repr(name)}`);
  const [whole, ...groups] = match;
  if (whole.length < text.length) throw new PythonError(`unconverted data remains: ${text.slice(whole.length)}`);
  return groups;
}

function dateOf(groups: readonly string[]): CalendarDate {
  const [year, month, day] = groups.map(Number) as [number, number, number];
  if (year === 0) throw new PythonError('year 0 is out of range');
  // The calendar of the Gregorian reform repeats every 400 years.
  if (day > new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()) {
    throw new PythonError('day is out of range for month');
  }
  return { year, month, day };
}

/** strptime(text, '%Y-%m-%d') */
export const parseDate = (text: PythonValue): CalendarDate => dateOf(read(text, DATES));

/** strptime(text, '%Y-%m-%d %H:%M:%S') in seconds since 1970, without time zones. */
export function parseMoment(text: PythonValue): number {
  const groups = read(text, MOMENTS);
  const date = dateOf(groups.slice(0, 3));
  const [hours, minutes, seconds] = groups.slice(3).map(Number) as [number, number, number];
  if (seconds > 59) throw new PythonError('second must be in 0..59');
  return midnight(date) + hours * 3600 + minutes * 60 + seconds;
}

/** The first moment of a day, as `parseMoment` has it. */
export function midnight({ year, month, day }: CalendarDate): number {
  // Date.UTC() takes years below 100 for years of the 20th century.
  return new Date(0).setUTCFullYear(year, month - 1, day) / 1000;
}
