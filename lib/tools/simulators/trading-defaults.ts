// What the trading simulator knows without a configuration. Prices are in dollars, changes in percent, volumes in millions.
import { dict, float, type PythonDict, type PythonValue } from '../python/value.ts';

const PRICES = {
  AAPL: [227.16, 0.17, 2.552, 227.11, 227.09],
  GOOG: [2840.34, 0.24, 1.123, 2835.67, 2842.15],
  TSLA: [667.92, -0.12, 1.654, 671.15, 668.2],
  MSFT: [310.23, 0.09, 3.234, 309.88, 310.11],
  NVDA: [220.34, 0.34, 1.234, 220.45, 220.67],
  ALPH: [1320.45, -0.08, 1.567, 1321.12, 1325.78],
  OMEG: [457.23, 0.12, 2.345, 456.78, 458.12],
  QUAS: [725.89, -0.03, 1.789, 726.45, 728],
  NEPT: [88.34, 0.19, 0.654, 88.21, 88.67],
  SYNX: [345.67, 0.11, 2.112, 345.34, 346.12],
  ZETA: [22.09, -0.05, 0.789, 22.12, 22.34],
} as const;

const COLUMNS = ['price', 'percent_change', 'volume', 'MA(5)', 'MA(20)'] as const;

export const defaultStocks = (): PythonDict =>
  new Map(
    Object.entries(PRICES).map(([symbol, values]) => [
      symbol,
      new Map(COLUMNS.map((column, i): [string, PythonValue] => [column, float(values[i]!)])),
    ]),
  );

export const defaultOrders = (): PythonDict =>
  new Map([
    [12345, dict({ id: 12345, order_type: 'Buy', symbol: 'AAPL', price: 210.65, amount: 10, status: 'Completed' })],
    [12446, dict({ id: 12446, order_type: 'Sell', symbol: 'GOOG', price: 2840.56, amount: 5, status: 'Pending' })],
  ]);

export const defaultAccount = (): PythonDict =>
  dict({ account_id: 12345, balance: float(10000), binding_card: 1974202140965533 });

/** Symbols by the names of companies. */
export const SYMBOLS: ReadonlyMap<PythonValue, string> = new Map(
  Object.entries({
    Apple: 'AAPL',
    Google: 'GOOG',
    Tesla: 'TSLA',
    Microsoft: 'MSFT',
    Nvidia: 'NVDA',
    'Zeta Corp': 'ZETA',
    'Alpha Tech': 'ALPH',
    'Omega Industries': 'OMEG',
    'Quasar Ltd.': 'QUAS',
    'Neptune Systems': 'NEPT',
    'Synex Solutions': 'SYNX',
    Amazon: 'AMZN',
    Gorilla: 'GORI',
  }),
);

/** Symbols by sector. */
export const SECTORS: ReadonlyMap<PythonValue, readonly string[]> = new Map([
  ['Technology', ['AAPL', 'GOOG', 'MSFT', 'NVDA']],
  ['Automobile', ['TSLA', 'F', 'GM']],
]);
