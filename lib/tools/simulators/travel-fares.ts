// What flights cost and currencies are worth in the travel simulator.
import { iterate, keyOf, over, textWith, times, toFloat } from '../python/operations.ts';
import { float, type PythonDict, type PythonNumber, type PythonValue, dict, round } from '../python/value.ts';
import { PythonError } from '../simulator.ts';
import { BASE_COSTS, CLASSES, RATES } from './travel-routes.ts';

export const NO_ROUTE = 'No available route for the given airports.';

/** The base cost in dollars; null where nothing flies. */
export function baseCost(from: PythonValue, to: PythonValue): number | null {
  const [origin, destination] = [keyOf(from), keyOf(to)];
  if (typeof origin !== 'string' || typeof destination !== 'string') return null;
  return BASE_COSTS.get(`${origin} ${destination}`) ?? null;
}

/** In dollars. A date whose digits have an even sum costs twice as much. */
export function flightCost(
  from: PythonValue,
  to: PythonValue,
  date: PythonValue,
  travelClass: PythonValue,
): PythonNumber {
  const base = baseCost(from, to);
  if (base === null) throw new PythonError(NO_ROUTE);
  const factor = CLASSES.get(travelClass);
  if (factor === undefined) throw new PythonError('Invalid travel class. Options are: economy, business, first.');
  const numbers = iterate(date).filter((part) => /^\d+$/.test(textWith(part, 'isdigit')));
  const odd = numbers.filter((number) => Number((number as string).at(-1)) % 2 === 1);
  return float(base * factor * (odd.length % 2 === 0 ? 2 : 1));
}

/** One of the currencies must be the dollar. */
export function exchanged(base: PythonValue, target: PythonValue, value: PythonValue): PythonDict {
  const [to, from] = [base === 'USD' ? RATES.get(target) : undefined, target === 'USD' ? RATES.get(base) : undefined];
  if (to !== undefined) return dict({ exchanged_value: toFloat(times(value, to)) });
  if (from !== undefined) return dict({ exchanged_value: round(over(value, from) as PythonNumber, 2) });
  throw new PythonError('No available exchange rate for the given currencies.');
}
