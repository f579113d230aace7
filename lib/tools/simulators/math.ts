// MathAPI of BFCL: arithmetic. It has no state.
import { contains, greater, isNumeric, iterate, length, less, minus, over, plus, times } from '../python/operations.ts';
import { power } from '../python/power.ts';
import { decimalSquareRoot } from '../python/precise-root.ts';
import { mpLogarithm } from '../python/precise-logarithm.ts';
import { repr, str } from '../python/print.ts';
import {
  dict,
  float,
  isInt,
  type PythonDict,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  round,
  toNumber,
  truthy,
  typeName,
} from '../python/value.ts';
import { type Clock, PythonError, PythonTypeError } from '../simulator.ts';
import { BaseSimulator, error } from './base.ts';

/** As the reference has it: 1 and 1000 are ints. */
const METERS: PythonDict = dict({ km: 1000, m: 1, cm: 0.01, mm: 0.001, um: 1e-6, nm: 1e-9 });
const FACTORS: PythonDict = dict({
  ...{ cm_to_in: 0.393701, in_to_cm: 2.54, m_to_ft: 3.28084, ft_to_m: 0.3048, m_to_yd: 1.09361, yd_to_m: 0.9144 },
  ...{ km_to_miles: 0.621371, miles_to_km: 1.60934, kg_to_lb: 2.20462, lb_to_kg: 0.453592 },
  ...{ celsius_to_fahrenheit: 1.8, fahrenheit_to_celsius: 5 / 9 },
});
const BOTH = 'Both inputs must be numbers';
/** More digits than anybody reads would only keep the machine busy. */
const MOST_DIGITS = 2000;

const result = (value: PythonValue): PythonDict => dict({ result: value });

export class MathApi extends BaseSimulator {
  constructor(clock: Clock) {
    super(clock);
    this.define('logarithm(value, base, precision)', (value, base, precision) => logarithm(value!, base!, precision!));
    this.#defineForList('mean(numbers)', 'calculate mean', mean);
    this.#defineForList('standard_deviation(numbers)', 'calculate standard deviation', deviation);
    this.define('si_unit_conversion(value, unit_in, unit_out)', (value, from, to) => convert(value!, from!, to!));
    this.define('imperial_si_conversion(value, unit_in, unit_out)', (value, from, to) => imperial(value!, from!, to!));
    this.define('add(a, b)', (a, b) => orMessage(BOTH, () => result(plus(a!, b!))));
    this.define('subtract(a, b)', (a, b) => orMessage(BOTH, () => result(minus(a!, b!))));
    this.define('multiply(a, b)', (a, b) => (isNumeric(a!) && isNumeric(b!) ? result(times(a, b)) : error(BOTH)));
    this.define('divide(a, b)', (a, b) =>
      pythonEqual(b!, 0) ? error('Cannot divide by zero') : orMessage(BOTH, () => result(over(a!, b!))),
    );
    this.define('power(base, exponent)', (base, exponent) => orMessage(BOTH, () => result(power(base!, exponent!))));
    this.define('square_root(number, precision)', (number, precision) => squareRoot(number!, precision!));
    this.define('absolute_value(number)', (number) => absolute(number!));
    this.define('round_number(number, decimal_places=0)', (number, places) => rounded(number!, places!));
    this.define('percentage(part, whole)', (part, whole) =>
      pythonEqual(whole!, 0)
        ? error('Whole value cannot be zero')
        : orMessage(BOTH, () => result(times(over(part!, whole!), 100))),
    );
    this.#defineForList('min_value(numbers)', 'find minimum', (list) => extreme(list, less));
    this.#defineForList('max_value(numbers)', 'find maximum', (list) => extreme(list, greater));
    this.#defineForList('sum_values(numbers)', 'calculate sum', sum);
  }

  #defineForList(signature: string, doing: string, compute: (list: PythonValue) => PythonValue): void {
    this.define(signature, (numbers) => {
      if (!truthy(numbers!)) return error(`Cannot ${doing} of an empty list`);
      return orMessage('All elements in the list must be numbers', () => result(compute(numbers!)));
    });
  }

  load(): void {}

  state(): PythonDict {
    return new Map();
  }
}

/** The reference turns TypeErrors into this message; other exceptions get through. */
function orMessage(message: string, compute: () => PythonValue): PythonValue {
  try {
    return compute();
  } catch (failure) {
    if (failure instanceof PythonTypeError) return error(message);
    throw failure;
  }
}

const sum = (list: PythonValue): PythonValue => iterate(list).reduce((total, x) => plus(total, x), 0 as PythonValue);
const mean = (list: PythonValue): PythonValue => over(sum(list), length(list));

function deviation(list: PythonValue): PythonValue {
  const middle = mean(list);
  const squares = iterate(list).map((x) => power(minus(x, middle), 2));
  return float(Math.sqrt(toNumber(over(sum(squares), length(list)) as PythonNumber)));
}

const extreme = (list: PythonValue, better: (a: PythonValue, b: PythonValue) => boolean): PythonValue =>
  iterate(list).reduce((best, x) => (better(x, best) ? x : best));

const unsupported = (from: PythonValue, to: PythonValue): PythonDict =>
  error(`Conversion from '${str(from)}' to '${str(to)}' is not supported`);

function convert(value: PythonValue, from: PythonValue, to: PythonValue): PythonValue {
  if (!isNumeric(value)) return error('Value must be a number');
  if (!contains(METERS, from) || !contains(METERS, to)) return unsupported(from, to);
  // Multiplied by the inverse and not divided: the last digit tells.
  const inverse = over(1, METERS.get(to as string)!);
  return result(times(times(value, METERS.get(from as string)!), inverse));
}

function imperial(value: PythonValue, from: PythonValue, to: PythonValue): PythonValue {
  if (!isNumeric(value)) return error('Value must be a number');
  if (pythonEqual(from, to)) return result(value);
  const key = `${str(from)}_to_${str(to)}`;
  const factor = FACTORS.get(key);
  if (factor === undefined) return unsupported(from, to);
  if (from === 'celsius' && to === 'fahrenheit') return result(plus(times(value, factor), 32));
  if (from === 'fahrenheit' && to === 'celsius') return result(times(minus(value, 32), factor));
  return result(times(value, factor));
}

function absolute(number: PythonValue): PythonValue {
  if (!isNumeric(number)) return error('Input must be a number');
  return result(less(number, 0) || Object.is(toNumber(number), -0) ? minus(0, number) : plus(number, 0));
}

function squareRoot(number: PythonValue, precision: PythonValue): PythonValue {
  const failure = error('Input must be a number or computation resulted in an invalid operation');
  if (!isNumeric(number)) return failure;
  if (less(number, 0)) return error('Cannot calculate square root of a negative number');
  if (typeof precision !== 'boolean' && !isInt(precision)) return failure;
  const digits = toNumber(precision);
  if (digits < 1 || digits >= 1e18) throw new PythonError('valid range for prec is [1, MAX_PREC]');
  return result(
    decimalSquareRoot(typeof number === 'boolean' ? Number(number) : number, Math.min(digits, MOST_DIGITS)),
  );
}

/** mpmath reads texts as numbers, too; here they are not read. */
function logarithm(value: PythonValue, base: PythonValue, precision: PythonValue): PythonValue {
  if (!isNumeric(precision)) {
    return error(`int() argument must be a string, a bytes-like object or a real number, not '${typeName(precision)}'`);
  }
  const digits = Math.trunc(toNumber(precision));
  if (!Number.isFinite(digits)) return error('cannot convert float infinity to integer');
  for (const x of [value, base]) if (!isNumeric(x)) return error(`cannot create mpf from ${repr(x)}`);
  const [x, b] = [value, base].map((n) => (typeof n === 'boolean' ? Number(n) : n)) as [PythonNumber, PythonNumber];
  // mpmath's ZeroDivisionError has no text.
  if (pythonEqual(b, 1)) return error('');
  return result(mpLogarithm(x, b, Math.min(digits, MOST_DIGITS)));
}

function rounded(number: PythonValue, places: PythonValue): PythonValue {
  const failure = error('First input must be a number, second input must be an integer');
  if (!isNumeric(number) || !(places === null || typeof places === 'boolean' || isInt(places))) return failure;
  const value = typeof number === 'boolean' ? Number(number) : number;
  return result(places === null ? round(value) : round(value, toNumber(places)));
}
