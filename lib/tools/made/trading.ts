// Errands with stocks.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const PRICES: Readonly<Record<string, number>> = {
  AAPL: 227.16,
  GOOG: 2840.34,
  MSFT: 310.23,
  NVDA: 220.34,
  NEPT: 88.34,
  ZETA: 22.09,
};
const SYMBOLS = Object.keys(PRICES);
const COMPANIES: Readonly<Record<string, string>> = {
  Apple: 'AAPL',
  Google: 'GOOG',
  Microsoft: 'MSFT',
  Nvidia: 'NVDA',
};
const FIRST_ORDER = 500;

/** The user is logged in and rich, the market is open. */
class Trades implements Scene {
  readonly config: Scene['config'];
  readonly #watched: string[];
  readonly #orders: number[] = [];
  #next = FIRST_ORDER;

  constructor(random: Random) {
    this.#watched = random.shuffled(SYMBOLS).slice(0, 2);
    this.config = {
      ...{
        orders: {},
        order_counter: FIRST_ORDER,
        authenticated: true,
        market_status: 'Open',
        watch_list: [...this.#watched],
      },
      ...{ account_info: { account_id: 1, balance: 1_000_000, binding_card: 4 }, random_seed: random.below(1_000_000) },
      transaction_history: [],
    };
  }

  errand(random: Random): Errand | null {
    const symbol = random.pick(SYMBOLS);
    const amount = 1 + random.below(20);
    switch (random.below(8)) {
      case 0:
      case 1:
        return this.#order(random, symbol, amount);
      case 2: {
        const id = this.#orders.pop();
        if (id === undefined) return null;
        return {
          request: say(random, `Cancel order ${id}.`, `I do not want order ${id} any more.`),
          calls: [call('cancel_order', { order_id: id })],
        };
      }
      case 3: {
        if (this.#watched.includes(symbol)) return null;
        this.#watched.push(symbol);
        return {
          request: say(random, `Watch ${symbol}.`, `Put ${symbol} on my watchlist.`),
          calls: [call('add_to_watchlist', { stock: symbol })],
        };
      }
      case 4: {
        const gone = this.#watched.shift();
        if (gone === undefined) return null;
        return {
          request: `Take ${gone} off my watchlist.`,
          calls: [call('remove_stock_from_watchlist', { symbol: gone })],
        };
      }
      case 5: {
        const sum = 100 * amount;
        const deposit = random.chance(0.5);
        const request = deposit ? `Put ${sum} dollars into my account.` : `Withdraw ${sum} dollars from my account.`;
        return { request, calls: [call(deposit ? 'fund_account' : 'withdraw_funds', { amount: sum })] };
      }
      case 6:
        return {
          request: say(random, `How is ${symbol} doing?`, `What is the price of ${symbol}?`),
          calls: [call('get_stock_info', { symbol })],
        };
      default: {
        const company = random.pick(Object.keys(COMPANIES));
        return {
          request: `Which symbol does ${company} have?`,
          calls: [call('get_symbol_by_name', { name: company })],
        };
      }
    }
  }

  #order(random: Random, symbol: string, amount: number): Errand {
    this.#orders.push(this.#next++);
    const side = random.pick(['Buy', 'Sell']);
    const [company] = Object.entries(COMPANIES).find(([, known]) => known === symbol) ?? [null];
    if (company !== null && random.chance(0.4)) {
      const price = 100 + random.below(100);
      const order = call('place_order', { order_type: side, symbol, price, amount });
      const request = `Find the symbol of ${company}, and place an order: ${side} ${amount} shares at ${price}.`;
      return { request, calls: [call('get_symbol_by_name', { name: company }), order] };
    }
    const price = PRICES[symbol]!;
    const request = say(
      random,
      `Place an order: ${side} ${amount} shares of ${symbol} at ${price}.`,
      `${side} ${amount} ${symbol} at a price of ${price}, please.`,
    );
    return { request, calls: [call('place_order', { order_type: side, symbol, price, amount })] };
  }
}

export const trading: Family = {
  className: 'TradingBot',
  scene: (random) => new Trades(random),
  documents: documents(`
    trading_login(username: str, password: str): Log in.
    trading_get_login_status(): Whether the user is logged in.
    trading_logout(): Log out.
    get_account_info(): Number, balance and card of the account.
    fund_account(amount: float): Put money into the account.
    withdraw_funds(amount: float): Take money out of the account while the market is open.
    get_transaction_history(start_date?: str, end_date?: str): Deposits and withdrawals, between two dates (YYYY-MM-DD).
    place_order(order_type: str, symbol: str, price: float, amount: int): Order shares of a stock; the type is Buy or Sell.
    get_order_details(order_id: int): An order by its id.
    cancel_order(order_id: int): Cancel an order that is not completed.
    get_order_history(): The ids of all orders.
    get_current_time(): The time of day.
    get_symbol_by_name(name: str): The symbol of a company.
    get_stock_info(symbol: str): Price, change and volume of a stock.
    get_watchlist(): The stocks that are watched.
    add_to_watchlist(stock: str): Watch a stock, by its symbol.
    remove_stock_from_watchlist(symbol: str): Watch a stock no longer.
    get_available_stocks(sector: str): The stocks of a sector, Technology or Automobile.
    filter_stocks_by_price(stocks: texts, min_price: float, max_price: float): Those of some stocks whose price is within two limits.
    notify_price_change(stocks: texts, threshold: float): Which of some stocks have changed by so many percent.
  `),
};
