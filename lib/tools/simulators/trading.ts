// TradingBot of BFCL: stocks, orders, an account.
import {
  absolute,
  at,
  atLeast,
  atMost,
  contains,
  dictWith,
  greater,
  hasKey,
  iterate,
  keyOf,
  minus,
  plus,
  textWith,
  toFloat,
  toInt,
} from '../python/operations.ts';
import { fixed, repr, str } from '../python/print.ts';
import { PythonRandom } from '../python/random.ts';
import { midnight, parseDate, parseMoment } from '../python/time.ts';
import {
  dict,
  multiply,
  type PythonDict,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  truthy,
} from '../python/value.ts';
import type { Clock } from '../simulator.ts';
import {
  BaseSimulator,
  error,
  given,
  givenDict,
  givenList,
  givenRandom,
  type List,
  refuseLongContext,
} from './base.ts';
import { defaultAccount, defaultOrders, defaultStocks, SECTORS, SYMBOLS } from './trading-defaults.ts';

const SEED = 1053520;
/** When the simulated day begins, in seconds since 1970 without time zones. */
const NOW = Date.UTC(2024, 8, 1, 10, 30) / 1000;
const DAY = 86_400;

export class TradingBot extends BaseSimulator {
  #random = new PythonRandom(SEED);
  #orders: PythonDict = new Map();
  #account: PythonDict = new Map();
  #authenticated: PythonValue = false;
  #market: PythonValue = 'Closed';
  #counter: PythonValue = 0;
  #stocks: PythonDict = new Map();
  #watched: List = [];
  #history: List = [];

  constructor(clock: Clock) {
    super(clock);
    this.#defineAccount();
    this.#defineOrders();
    this.#defineWatchlist();
    this.#defineStocks();
  }

  load(config: PythonDict, longContext = false): void {
    refuseLongContext('TradingBot', longContext);
    this.#random = givenRandom(config, SEED);
    const orders = givenDict(config, 'orders', defaultOrders());
    this.#orders = new Map(
      Array.from(orders, ([key, order]) => [/^\d+$/.test(String(key)) ? Number(key) : key, order]),
    );
    this.#account = givenDict(config, 'account_info', defaultAccount());
    this.#authenticated = given(config, 'authenticated', false);
    this.#market = given(config, 'market_status', 'Closed');
    this.#counter = given(config, 'order_counter', 12446);
    this.#stocks = givenDict(config, 'stocks', defaultStocks());
    this.#watched = givenList(config, 'watch_list', ['NVDA']);
    this.#history = givenList(config, 'transaction_history', []);
  }

  state(): PythonDict {
    return dict({
      orders: this.#orders,
      account_info: this.#account,
      authenticated: this.#authenticated,
      market_status: this.#market,
      order_counter: this.#counter,
      stocks: this.#stocks,
      watch_list: this.#watched,
      transaction_history: this.#history,
      long_context: false,
    });
  }

  /** A method that wants the user to be logged in; what it gives otherwise is `refusal` of the error. */
  #defineForUsers(
    signature: string,
    to: string,
    run: (...values: PythonValue[]) => PythonValue,
    refusal: (failure: PythonDict) => PythonValue = (failure) => failure,
  ): void {
    this.define(signature, (...values) =>
      truthy(this.#authenticated) ? run(...values) : refusal(error(`User not authenticated. Please log in to ${to}.`)),
    );
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
    this.#defineForUsers('get_account_info()', 'view account information', () => this.#account);
    this.#defineForUsers('fund_account(amount)', 'fund the account', (amount) => this.#fund(amount!));
    this.#defineForUsers('withdraw_funds(amount)', 'make a transaction', (amount) => this.#withdraw(amount!));
    this.#defineForUsers(
      'get_transaction_history(start_date=None, end_date=None)',
      'view transaction history',
      (start, end) => this.#transactions(start!, end!),
      (failure) => [failure],
    );
  }

  #defineOrders(): void {
    this.define('get_order_details(order_id)', (id) => {
      if (hasKey(this.#orders, id!)) return at(this.#orders, id!);
      const known = repr([...this.#orders.keys()]);
      return error(`Order with ID ${str(id!)} not found.Here is the list of orders_id: ${known}`);
    });
    this.define('cancel_order(order_id)', (id) => this.#cancel(id!));
    this.#defineForUsers(
      'place_order(order_type, symbol, price, amount)',
      'place an order',
      (type, symbol, price, amount) => this.#place(type!, symbol!, price!, amount!),
    );
    this.#defineForUsers(
      'get_order_history()',
      'view order history',
      () => dict({ history: [...this.#orders.keys()] }),
      (failure) => [failure],
    );
  }

  #defineWatchlist(): void {
    this.#defineForUsers(
      'get_watchlist()',
      'view the watchlist',
      () => dict({ watchlist: this.#watched }),
      (failure) => [`Error: ${str(at(failure, 'error'))}`],
    );
    this.#defineForUsers('remove_stock_from_watchlist(symbol)', 'modify the watchlist', (symbol) => {
      const index = this.#watched.findIndex((known) => pythonEqual(known, symbol!));
      if (index < 0) return error(`Stock ${str(symbol!)} not found in watchlist.`);
      this.#watched.splice(index, 1);
      return dict({ status: `Stock ${str(symbol!)} removed from watchlist successfully.` });
    });
    this.define('add_to_watchlist(stock)', (symbol) => {
      if (!contains(this.#watched, symbol!) && hasKey(this.#stocks, symbol!)) this.#watched.push(symbol!);
      return dict({ watchlist: this.#watched });
    });
  }

  #defineStocks(): void {
    this.define('get_current_time()', () => dict({ current_time: '10:30 AM' }));
    this.define('get_symbol_by_name(name)', (name) => dict({ symbol: SYMBOLS.get(keyOf(name!)) ?? 'Stock not found' }));
    this.define('get_stock_info(symbol)', (symbol) =>
      hasKey(this.#stocks, symbol!)
        ? at(this.#stocks, symbol!)
        : error(`Stock with symbol '${str(symbol!)}' not found.`),
    );
    this.define('get_available_stocks(sector)', (sector) => dict({ stock_list: SECTORS.get(keyOf(sector!)) ?? [] }));
    this.define('filter_stocks_by_price(stocks, min_price, max_price)', (symbols, least, most) =>
      dict({
        filtered_stocks: iterate(symbols!).filter((symbol) => {
          const price = this.#priceOf(symbol);
          return atLeast(price, least!) && atMost(price, most!);
        }),
      }),
    );
    this.define('notify_price_change(stocks, threshold)', (symbols, threshold) => this.#notify(symbols!, threshold!));
  }

  #priceOf(symbol: PythonValue): PythonValue {
    const stock = hasKey(this.#stocks, symbol) ? at(this.#stocks, symbol) : new Map();
    return given(dictWith(stock, 'get'), 'price', 0);
  }

  #notify(symbols: PythonValue, threshold: PythonValue): PythonValue {
    const changed = iterate(symbols).filter(
      (symbol) =>
        hasKey(this.#stocks, symbol) && atLeast(absolute(at(at(this.#stocks, symbol), 'percent_change')), threshold),
    );
    const notification =
      changed.length === 0
        ? 'No significant price changes in the selected stocks.'
        : `Stocks ${changed.join(', ')} have significant price changes.`;
    return dict({ notification });
  }

  #cancel(id: PythonValue): PythonValue {
    if (!hasKey(this.#orders, id)) return error(`Order with ID ${str(id)} not found.`);
    const order = at(this.#orders, id);
    if (at(order, 'status') === 'Completed') {
      return error(`Can't cancel order ${str(id)}. Order is already completed.`);
    }
    (order as PythonDict).set('status', 'Cancelled');
    return dict({ order_id: id, status: 'Cancelled' });
  }

  /** The answer says Pending, the order Open: as if it took a moment to be executed. */
  #place(type: PythonValue, symbol: PythonValue, price: PythonValue, amount: PythonValue): PythonValue {
    if (!hasKey(this.#stocks, symbol)) return error(`Invalid stock symbol: ${str(symbol)}`);
    if (atMost(price, 0) || atMost(amount, 0)) return error('Price and amount must be positive values.');
    if (textWith(type, 'lower').toLowerCase() === 'buy') {
      const lack = this.#lackOfFunds(multiply(toFloat(price), toInt(amount as PythonNumber)));
      if (lack !== null) return error(lack);
    }
    const [id, exact] = [this.#counter, toFloat(price)];
    this.#orders.set(keyOf(id)!, dict({ id, order_type: type, symbol, price: exact, amount, status: 'Open' }));
    this.#counter = plus(id, 1, '+=');
    return dict({ order_id: id, order_type: type, status: 'Pending', price: exact, amount });
  }

  #lackOfFunds(cost: PythonNumber): string | null {
    const balance = given(this.#account, 'balance', 0);
    if (!greater(cost, balance)) return null;
    const [required, available] = [cost, balance as PythonNumber].map((dollars) => fixed(dollars, 2));
    return `Insufficient funds: required $${required} but only $${available} available.`;
  }

  #fund(amount: PythonValue): PythonValue {
    if (atMost(amount, 0)) return error('Funding amount must be positive.');
    const balance = plus(at(this.#account, 'balance'), amount, '+=');
    return this.#move('deposit', amount, balance, 'Account funded successfully');
  }

  #withdraw(amount: PythonValue): PythonValue {
    if (this.#market !== 'Open') return error('Market is closed. Transactions are not allowed.');
    if (atMost(amount, 0)) return error('Transaction amount must be positive.');
    const balance = at(this.#account, 'balance');
    if (greater(amount, balance)) return error('Insufficient funds for withdrawal.');
    return this.#move('withdrawal', amount, minus(balance, amount, '-='), 'Withdrawal successful');
  }

  #move(type: string, amount: PythonValue, balance: PythonValue, status: string): PythonValue {
    this.#account.set('balance', balance);
    const moment = new Date(this.#random.integer(NOW, NOW + DAY) * 1000);
    this.#history.push(dict({ type, amount, timestamp: moment.toISOString().slice(0, 19).replace('T', ' ') }));
    return dict({ status, new_balance: balance });
  }

  #transactions(start: PythonValue, end: PythonValue): PythonValue {
    const first = truthy(start) ? midnight(parseDate(start)) : -Infinity;
    const last = truthy(end) ? midnight(parseDate(end)) : Infinity;
    const within = this.#history.filter((transaction) => {
      const moment = parseMoment(at(transaction, 'timestamp'));
      return first <= moment && moment <= last;
    });
    return dict({ transaction_history: within });
  }
}
