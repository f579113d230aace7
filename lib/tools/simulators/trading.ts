// TradingBot of BFCL: stocks, orders, an account.
import { UserError } from '../../errors.ts';
import {
  at,
  atLeast,
  atMost,
  contains,
  greater,
  hasKey,
  iterate,
  keyOf,
  minus,
  plus,
  textWith,
  times,
  toFloat,
} from '../python/operations.ts';
import { repr, str } from '../python/print.ts';
import { PythonRandom } from '../python/random.ts';
import { midnight, parseDate, parseTimestamp } from '../python/time.ts';
import {
  dict,
  float,
  isDict,
  isNumber,
  type PythonDict,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  round,
  toNumber,
  truthy,
  typeName,
} from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenList, givenRandom, type List } from './base.ts';

const stock = (price: number, change: number, volume: number, ma5: number, ma20: number): PythonDict =>
  dict({ price, percent_change: change, volume, 'MA(5)': ma5, 'MA(20)': float(ma20) });

const stocks = (): PythonDict =>
  dict({
    ...{ AAPL: stock(227.16, 0.17, 2.552, 227.11, 227.09), GOOG: stock(2840.34, 0.24, 1.123, 2835.67, 2842.15) },
    ...{ TSLA: stock(667.92, -0.12, 1.654, 671.15, 668.2), MSFT: stock(310.23, 0.09, 3.234, 309.88, 310.11) },
    ...{ NVDA: stock(220.34, 0.34, 1.234, 220.45, 220.67), ALPH: stock(1320.45, -0.08, 1.567, 1321.12, 1325.78) },
    ...{ OMEG: stock(457.23, 0.12, 2.345, 456.78, 458.12), QUAS: stock(725.89, -0.03, 1.789, 726.45, 728) },
    ...{ NEPT: stock(88.34, 0.19, 0.654, 88.21, 88.67), SYNX: stock(345.67, 0.11, 2.112, 345.34, 346.12) },
    ZETA: stock(22.09, -0.05, 0.789, 22.12, 22.34),
  });

const orders = (): PythonDict =>
  new Map([
    [12345, dict({ id: 12345, order_type: 'Buy', symbol: 'AAPL', price: 210.65, amount: 10, status: 'Completed' })],
    [12446, dict({ id: 12446, order_type: 'Sell', symbol: 'GOOG', price: 2840.56, amount: 5, status: 'Pending' })],
  ]);

const SYMBOLS: ReadonlyMap<PythonValue, string> = new Map([
  ...([
    ['Apple', 'AAPL'],
    ['Google', 'GOOG'],
    ['Tesla', 'TSLA'],
    ['Microsoft', 'MSFT'],
    ['Nvidia', 'NVDA'],
    ['Zeta Corp', 'ZETA'],
  ] as const),
  ...([
    ['Alpha Tech', 'ALPH'],
    ['Omega Industries', 'OMEG'],
    ['Quasar Ltd.', 'QUAS'],
    ['Neptune Systems', 'NEPT'],
  ] as const),
  ...([
    ['Synex Solutions', 'SYNX'],
    ['Amazon', 'AMZN'],
    ['Gorilla', 'GORI'],
  ] as const),
]);
const SECTORS: ReadonlyMap<PythonValue, readonly string[]> = new Map([
  ['Technology', ['AAPL', 'GOOG', 'MSFT', 'NVDA']],
  ['Automobile', ['TSLA', 'F', 'GM']],
]);

/** The simulated present, as seconds of a clock without time zones: 2024-09-01 10:30. */
const NOW = Date.UTC(2024, 8, 1, 10, 30) / 1000;
const DAY = 86_400;

export class TradingBot extends BaseSimulator {
  #orders: PythonDict = new Map();
  #account: PythonDict = new Map();
  #authenticated: PythonValue = false;
  #market: PythonValue = 'Closed';
  #counter: PythonValue = 12446;
  #stocks: PythonDict = new Map();
  #watched: List = [];
  #history: List = [];
  #random = new PythonRandom(0);

  constructor(clock: Clock) {
    super(clock);
    this.#defineAccount();
    this.#defineOrders();
    this.#defineStocks();
  }

  load(config: PythonDict, longContext = false): void {
    if (longContext) throw new UserError('TradingBot has no fillers for long contexts here');
    const keyed = givenDict(config, 'orders', orders());
    this.#orders = new Map(Array.from(keyed, ([key, order]) => [/^\d+$/.test(String(key)) ? Number(key) : key, order]));
    this.#account = givenDict(
      config,
      'account_info',
      dict({ account_id: 12345, balance: float(10000), binding_card: 1974202140965533 }),
    );
    this.#authenticated = given(config, 'authenticated', false);
    this.#market = given(config, 'market_status', 'Closed');
    this.#counter = given(config, 'order_counter', 12446);
    this.#stocks = givenDict(config, 'stocks', stocks());
    this.#watched = givenList(config, 'watch_list', ['NVDA']);
    this.#history = givenList(config, 'transaction_history', []);
    this.#random = givenRandom(config, 1053520);
  }

  state(): PythonDict {
    return dict({
      ...{
        orders: this.#orders,
        account_info: this.#account,
        authenticated: this.#authenticated,
        market_status: this.#market,
      },
      ...{
        order_counter: this.#counter,
        stocks: this.#stocks,
        watch_list: this.#watched,
        transaction_history: this.#history,
      },
      long_context: false,
    });
  }

  #refused(to: string): PythonDict | null {
    return truthy(this.#authenticated) ? null : error(`User not authenticated. Please log in to ${to}.`);
  }

  #defineAccount(): void {
    this.define('trading_login(username, password)', () => {
      if (truthy(this.#authenticated)) return dict({ status: 'Already logged in' });
      this.#authenticated = true;
      return dict({ status: 'Logged in successfully' });
    });
    this.define('trading_get_login_status()', () => dict({ status: truthy(this.#authenticated) }));
    this.define('trading_logout()', () => {
      if (!truthy(this.#authenticated)) return dict({ status: 'No user is currently logged in' });
      this.#authenticated = false;
      return dict({ status: 'Logged out successfully' });
    });
    this.define('get_account_info()', () => this.#refused('view account information') ?? this.#account);
    this.define('fund_account(amount)', (amount) => {
      const refused = this.#refused('fund the account');
      if (refused !== null) return refused;
      if (atMost(amount!, 0)) return error('Funding amount must be positive.');
      return this.#move(
        'deposit',
        amount!,
        plus(at(this.#account, 'balance'), amount!, '+='),
        'Account funded successfully',
      );
    });
    this.define('withdraw_funds(amount)', (amount) => this.#withdraw(amount!));
    this.define('get_transaction_history(start_date=None, end_date=None)', (start, end) =>
      this.#transactions(start!, end!),
    );
  }

  #defineOrders(): void {
    this.define('get_order_details(order_id)', (id) => {
      if (hasKey(this.#orders, id!)) return at(this.#orders, keyOf(id!)!);
      return error(
        `Order with ID ${str(id!)} not found.Here is the list of orders_id: ${repr([...this.#orders.keys()])}`,
      );
    });
    this.define('cancel_order(order_id)', (id) => {
      if (!hasKey(this.#orders, id!)) return error(`Order with ID ${str(id!)} not found.`);
      const order = at(this.#orders, keyOf(id!)!) as PythonDict;
      if (at(order, 'status') === 'Completed')
        return error(`Can't cancel order ${str(id!)}. Order is already completed.`);
      order.set('status', 'Cancelled');
      return dict({ order_id: id!, status: 'Cancelled' });
    });
    this.define('place_order(order_type, symbol, price, amount)', (type, symbol, price, amount) =>
      this.#place(type!, symbol!, price!, amount!),
    );
    this.define('get_order_history()', () => {
      const refused = this.#refused('view order history');
      return refused === null ? dict({ history: [...this.#orders.keys()] }) : [refused];
    });
  }

  #defineStocks(): void {
    this.define('get_current_time()', () => dict({ current_time: '10:30 AM' }));
    this.define('get_symbol_by_name(name)', (name) => {
      keyOf(name!);
      return dict({ symbol: SYMBOLS.get(name!) ?? 'Stock not found' });
    });
    this.define('get_stock_info(symbol)', (symbol) =>
      hasKey(this.#stocks, symbol!)
        ? at(this.#stocks, symbol as string)
        : error(`Stock with symbol '${str(symbol!)}' not found.`),
    );
    this.define('get_watchlist()', () =>
      truthy(this.#authenticated)
        ? dict({ watchlist: this.#watched })
        : ['Error: User not authenticated. Please log in to view the watchlist.'],
    );
    this.define('remove_stock_from_watchlist(symbol)', (symbol) => {
      const refused = this.#refused('modify the watchlist');
      if (refused !== null) return refused;
      const index = this.#watched.findIndex((known) => pythonEqual(known, symbol!));
      if (index < 0) return error(`Stock ${str(symbol!)} not found in watchlist.`);
      this.#watched.splice(index, 1);
      return dict({ status: `Stock ${str(symbol!)} removed from watchlist successfully.` });
    });
    this.define('add_to_watchlist(stock)', (symbol) => {
      if (!contains(this.#watched, symbol!) && hasKey(this.#stocks, symbol!)) this.#watched.push(symbol!);
      return dict({ watchlist: this.#watched });
    });
    this.define('get_available_stocks(sector)', (sector) => {
      keyOf(sector!);
      return dict({ stock_list: [...(SECTORS.get(sector!) ?? [])] });
    });
    this.define('filter_stocks_by_price(stocks, min_price, max_price)', (symbols, least, most) =>
      dict({
        filtered_stocks: iterate(symbols!).filter((symbol) => {
          const price = this.#priceOf(symbol);
          return atLeast(price, least!) && atMost(price, most!);
        }),
      }),
    );
    this.define('notify_price_change(stocks, threshold)', (symbols, threshold) => {
      const changed = iterate(symbols!).filter((symbol) => {
        if (!hasKey(this.#stocks, symbol)) return false;
        const change = at(at(this.#stocks, symbol as string), 'percent_change');
        return atLeast(absolute(change), threshold!);
      });
      const notification =
        changed.length > 0
          ? `Stocks ${changed.map(str).join(', ')} have significant price changes.`
          : 'No significant price changes in the selected stocks.';
      return dict({ notification });
    });
  }

  #priceOf(symbol: PythonValue): PythonValue {
    const key = keyOf(symbol);
    const found = key === null ? undefined : this.#stocks.get(key);
    return found === undefined ? 0 : isDict(found) ? (found.get('price') ?? 0) : textWith(found, 'get');
  }

  #place(type: PythonValue, symbol: PythonValue, price: PythonValue, amount: PythonValue): PythonValue {
    const refused = this.#refused('place an order');
    if (refused !== null) return refused;
    if (!hasKey(this.#stocks, symbol)) return error(`Invalid stock symbol: ${str(symbol)}`);
    if (atMost(price, 0) || atMost(amount, 0)) return error('Price and amount must be positive values.');
    if (textWith(type, 'lower').toLowerCase() === 'buy') {
      const cost = times(toFloat(price), Math.trunc(toNumber(amount as PythonNumber)));
      const balance = this.#account.get('balance') ?? 0;
      if (greater(cost, balance)) {
        const [required, available] = [cost, balance].map((x) => cents(x as PythonNumber));
        return error(`Insufficient funds: required $${required} but only $${available} available.`);
      }
    }
    const [id, exact] = [this.#counter, toFloat(price)];
    this.#orders.set(keyOf(id)!, dict({ id, order_type: type, symbol, price: exact, amount, status: 'Open' }));
    this.#counter = plus(id, 1);
    return dict({ order_id: id, order_type: type, status: 'Pending', price: exact, amount });
  }

  #withdraw(amount: PythonValue): PythonValue {
    const refused = this.#refused('make a transaction');
    if (refused !== null) return refused;
    if (this.#market !== 'Open') return error('Market is closed. Transactions are not allowed.');
    if (atMost(amount, 0)) return error('Transaction amount must be positive.');
    const balance = at(this.#account, 'balance');
    if (greater(amount, balance)) return error('Insufficient funds for withdrawal.');
    return this.#move('withdrawal', amount, minus(balance, amount, '-='), 'Withdrawal successful');
  }

  #move(type: string, amount: PythonValue, balance: PythonValue, status: string): PythonValue {
    this.#account.set('balance', balance);
    const moment = this.#random.integer(NOW, NOW + DAY);
    const timestamp = new Date(moment * 1000).toISOString().slice(0, 19).replace('T', ' ');
    this.#history.push(dict({ type, amount, timestamp }));
    return dict({ status, new_balance: balance });
  }

  #transactions(start: PythonValue, end: PythonValue): PythonValue {
    const refused = this.#refused('view transaction history');
    if (refused !== null) return [refused];
    const first = truthy(start) ? midnight(parseDate(start)) : '';
    const last = truthy(end) ? midnight(parseDate(end)) : '~';
    const within = this.#history.filter((transaction) => {
      const timestamp = parseTimestamp(at(transaction, 'timestamp'));
      return first <= timestamp && timestamp <= last;
    });
    return dict({ transaction_history: within });
  }
}

/** f'{x:.2f}' */
const cents = (x: PythonNumber): string => toNumber(round(x, 2)).toFixed(2);

function absolute(x: PythonValue): PythonValue {
  if (typeof x !== 'boolean' && !isNumber(x)) throw new PythonError(`bad operand type for abs(): '${typeName(x)}'`);
  return toNumber(x) < 0 ? minus(0, x) : x;
}
