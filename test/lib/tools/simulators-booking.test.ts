// Tickets, trading and travel. The results are those of Python.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { episodeOf, play } from '../../support/tools.ts';

test('TicketAPI: the life of a ticket', () => {
  play('TicketAPI', { ticket_counter: 7 }, [
    ["create_ticket('a')", '{"error": "User not authenticated. Please log in to create a ticket."}'],
    ['get_user_tickets()', "[{'error': 'User not authenticated. Please log in to view tickets.'}]"],
    ["ticket_login('ann', '')", '{"success": false}'],
    ["ticket_login('ann', 'pw')", '{"success": true}'],
    ['ticket_get_login_status()', '{"login_status": true}'],
    ["create_ticket('a', priority=6)", '{"error": "Invalid priority. Priority must be between 1 and 5."}'],
    [
      "create_ticket('a', 'b')",
      '{"id": 7, "title": "a", "description": "b", "status": "Open", "priority": 1, "created_by": "ann"}',
    ],
    ['get_ticket(8)', '{"error": "Ticket with ID 8 not found."}'],
    ["edit_ticket(7, {'title': None, 'priority': 4})", '{"status": "Ticket 7 has been updated successfully."}'],
    ["edit_ticket(7, {'owner': 'x'})", '{"error": "Invalid fields for update: owner"}'],
    ['close_ticket(7)', '{"status": "Ticket 7 has been closed successfully."}'],
    ['close_ticket(7)', '{"error": "Ticket with ID 7 is already closed."}'],
    ["get_user_tickets('open')", '[]'],
    [
      "get_user_tickets('CLOSED')",
      "[{'id': 7, 'title': 'a', 'description': 'b', 'status': 'Closed', 'priority': 4, 'created_by': 'ann'}]",
    ],
    ["resolve_ticket(7, 'done')", '{"status": "Ticket 7 has been resolved successfully."}'],
    ["resolve_ticket(7, 'again')", '{"error": "Ticket with ID 7 is already resolved."}'],
    [
      'get_ticket(7.0)',
      '{"id": 7, "title": "a", "description": "b", "status": "Resolved", "priority": 4, "created_by": "ann", "resolution": "done"}',
    ],
    ['logout()', '{"success": true}'],
    ['logout()', '{"success": false}'],
  ]);
});

test('TicketAPI: arguments and tickets of the wrong shape', () => {
  play('TicketAPI', { current_user: 'ann', ticket_queue: [{ id: 1, status: 'Open' }, { title: 'x' }] }, [
    [
      "create_ticket('a', priority='5')",
      "Error during execution: '<' not supported between instances of 'str' and 'int'",
    ],
    ["edit_ticket(1, 'x')", "Error during execution: 'str' object has no attribute 'keys'"],
    ["edit_ticket(1, {3: 'x'})", 'Error during execution: sequence item 0: expected str instance, int found'],
    ['get_ticket(2)', "Error during execution: 'id'"],
    ['get_user_tickets()', "Error during execution: 'created_by'"],
  ]);
});

const LOGIN = 'User not authenticated. Please log in to';
const MARKET = { authenticated: true, market_status: 'Open', account_info: { account_id: 1, balance: 1000.125 } };

test('TradingBot: who is not logged in sees little', () => {
  play('TradingBot', {}, [
    ['get_account_info()', `{"error": "${LOGIN} view account information."}`],
    ["place_order('Buy', 'AAPL', 1, 1)", `{"error": "${LOGIN} place an order."}`],
    ['fund_account(1)', `{"error": "${LOGIN} fund the account."}`],
    ['withdraw_funds(1)', `{"error": "${LOGIN} make a transaction."}`],
    ["remove_stock_from_watchlist('NVDA')", `{"error": "${LOGIN} modify the watchlist."}`],
    ['get_watchlist()', `['Error: ${LOGIN} view the watchlist.']`],
    ['get_order_history()', `[{'error': '${LOGIN} view order history.'}]`],
    ['get_transaction_history()', `[{'error': '${LOGIN} view transaction history.'}]`],
    ['trading_logout()', '{"status": "No user is currently logged in"}'],
    ["trading_login('ann', 'pw')", '{"status": "Logged in successfully"}'],
    ["trading_login('ann', 'pw')", '{"status": "Already logged in"}'],
    ['trading_get_login_status()', '{"status": true}'],
    ['get_account_info()', '{"account_id": 12345, "balance": 10000.0, "binding_card": 1974202140965533}'],
    ['withdraw_funds(1)', '{"error": "Market is closed. Transactions are not allowed."}'],
    ['trading_logout()', '{"status": "Logged out successfully"}'],
  ]);
});

test('TradingBot: orders', () => {
  const orders = { '7': { status: 'Completed' }, '8': { status: 'Open' }, order_type: 'Buy' };
  play('TradingBot', { ...MARKET, orders, order_counter: 9 }, [
    ['get_order_history()', `{"history": [7, 8, "order_type"]}`],
    [
      "get_order_details('7')",
      '{"error": "Order with ID 7 not found.Here is the list of orders_id: [7, 8, \'order_type\']"}',
    ],
    ['cancel_order(7)', `{"error": "Can't cancel order 7. Order is already completed."}`],
    ['cancel_order(8)', '{"order_id": 8, "status": "Cancelled"}'],
    ["cancel_order('order_type')", "Error during execution: string indices must be integers, not 'str'"],
    ['cancel_order([])', "Error during execution: unhashable type: 'list'"],
    ["place_order('Buy', 'NONE', 1, 1)", '{"error": "Invalid stock symbol: NONE"}'],
    ["place_order('Buy', 'AAPL', 1, 0)", '{"error": "Price and amount must be positive values."}'],
    ["place_order(1, 'AAPL', 1, 1)", "Error during execution: 'int' object has no attribute 'lower'"],
    [
      "place_order('Buy', 'AAPL', 100.5, 10.9)",
      '{"error": "Insufficient funds: required $1005.00 but only $1000.12 available."}',
    ],
    [
      "place_order('buy', 'AAPL', 100, 10)",
      '{"order_id": 9, "order_type": "buy", "status": "Pending", "price": 100.0, "amount": 10}',
    ],
    [
      "place_order('Sell', 'AAPL', 100, 10000)",
      '{"order_id": 10, "order_type": "Sell", "status": "Pending", "price": 100.0, "amount": 10000}',
    ],
    [
      'get_order_details(9)',
      '{"id": 9, "order_type": "buy", "symbol": "AAPL", "price": 100.0, "amount": 10, "status": "Open"}',
    ],
    ["place_order('Buy', 'AAPL', 1, 1e999)", 'Error during execution: cannot convert float infinity to integer'],
  ]);
});

test('TradingBot: transactions', () => {
  const history = [{ type: 'deposit', amount: 1, timestamp: '2023-1-1 1:02:3' }];
  play('TradingBot', { ...MARKET, transaction_history: history }, [
    ['fund_account(0)', '{"error": "Funding amount must be positive."}'],
    ["fund_account('1')", "Error during execution: '<=' not supported between instances of 'str' and 'int'"],
    ['withdraw_funds(2000)', '{"error": "Insufficient funds for withdrawal."}'],
    ['withdraw_funds(-1)', '{"error": "Transaction amount must be positive."}'],
    ['fund_account(100)', '{"status": "Account funded successfully", "new_balance": 1100.125}'],
    ['withdraw_funds(0.125)', '{"status": "Withdrawal successful", "new_balance": 1100.0}'],
    [
      "get_transaction_history('2024-09-01')",
      '{"transaction_history": [{"type": "deposit", "amount": 100, "timestamp": "2024-09-02 05:40:15"}, ' +
        '{"type": "withdrawal", "amount": 0.125, "timestamp": "2024-09-01 12:26:34"}]}',
    ],
    [
      "get_transaction_history(end_date='2024-01-01')",
      '{"transaction_history": [{"type": "deposit", "amount": 1, "timestamp": "2023-1-1 1:02:3"}]}',
    ],
    ["get_transaction_history('2024-02-30')", 'Error during execution: day is out of range for month'],
    ["get_transaction_history('2024-02-291')", 'Error during execution: unconverted data remains: 1'],
    [`get_transaction_history("it's")`, `Error during execution: time data "it's" does not match format '%Y-%m-%d'`],
    ['get_transaction_history(5)', 'Error during execution: strptime() argument 1 must be str, not int'],
  ]);
});

test('TradingBot: stocks', () => {
  play('TradingBot', MARKET, [
    ['get_current_time()', '{"current_time": "10:30 AM"}'],
    ["get_symbol_by_name('Zeta Corp')", '{"symbol": "ZETA"}'],
    ["get_symbol_by_name('Nobody')", '{"symbol": "Stock not found"}'],
    ["get_available_stocks('Automobile')", '{"stock_list": ["TSLA", "F", "GM"]}'],
    ["get_available_stocks('Food')", '{"stock_list": []}'],
    [
      "get_stock_info('QUAS')",
      '{"price": 725.89, "percent_change": -0.03, "volume": 1.789, "MA(5)": 726.45, "MA(20)": 728.0}',
    ],
    ["get_stock_info('NONE')", `{"error": "Stock with symbol 'NONE' not found."}`],
    ["filter_stocks_by_price(['AAPL', 'GOOG', 'NONE'], 0, 300)", '{"filtered_stocks": ["AAPL", "NONE"]}'],
    ['filter_stocks_by_price(5, 0, 300)', "Error during execution: 'int' object is not iterable"],
    [
      "notify_price_change(['TSLA', 'MSFT', 'NONE'], 0.12)",
      '{"notification": "Stocks TSLA have significant price changes."}',
    ],
    ['notify_price_change([], 1)', '{"notification": "No significant price changes in the selected stocks."}'],
    ["add_to_watchlist('AAPL')", '{"watchlist": ["NVDA", "AAPL"]}'],
    ["add_to_watchlist('NONE')", '{"watchlist": ["NVDA", "AAPL"]}'],
    ["remove_stock_from_watchlist('NVDA')", '{"status": "Stock NVDA removed from watchlist successfully."}'],
    ["remove_stock_from_watchlist('NVDA')", '{"error": "Stock NVDA not found in watchlist."}'],
    ['get_watchlist()', '{"watchlist": ["AAPL"]}'],
  ]);
});

const TRAVELER = {
  access_token: 'token',
  token_expires_in: 9,
  user_first_name: 'Ann',
  user_last_name: 'Lee',
  credit_card_list: { card: { balance: 1000 }, empty: {} },
};

test('TravelAPI: session and cards', () => {
  play('TravelAPI', {}, [
    ['travel_get_login_status()', '{"status": false}'],
    ["register_credit_card('x', '1', '01/2030', 'Ann', 1)", '{"error": "Token not initialized"}'],
    [
      "authenticate_travel('id', 'secret', 'refresh', 'read_write', 'Ann', 'Lee')",
      '{"expires_in": 2, "access_token": "251675", "token_type": "Bearer", "scope": "read_write"}',
    ],
    ['travel_get_login_status()', '{"status": true}'],
    ["register_credit_card('x', '1', '01/2030', 'Ann', 1)", '{"error": "Invalid access token"}'],
    ["register_credit_card('251675', '1', '01/2030', 'Ann', 1)", '{"card_id": "391310425148"}'],
    ["get_credit_card_balance('251675', '391310425148')", '{"card_balance": 58617}'],
    [
      "get_credit_card_balance('251675', 'no')",
      `{"error": "Card not registered. Here are a list of card_id's: ['391310425148']"}`,
    ],
    ["set_budget_limit('251675', ' 1_000 ')", '{"budget_limit": 1000.0}'],
    ["set_budget_limit('251675', 'much')", "Error during execution: could not convert string to float: 'much'"],
    ['get_budget_fiscal_year()', '{"budget_fiscal_year": "2018"}'],
  ]);
});

test('TravelAPI: flights', () => {
  const no = (reason: string): string => `{"booking_status": false, "error": "${reason}"}`;
  const book = (card: string, date: string, from: string, to: string, travelClass: string): string =>
    `book_flight('token', '${card}', '${date}', '${from}', '${to}', '${travelClass}')`;
  play('TravelAPI', TRAVELER, [
    ["get_flight_cost('SFO', 'LAX', '2024-01-01', 'first')", '{"travel_cost_list": [2000.0]}'],
    ["get_flight_cost('SFO', 'LAX', '2024-01-02', 'first')", '{"travel_cost_list": [1000.0]}'],
    [
      "get_flight_cost('LAX', 'PEK', '2024-01-01', 'first')",
      'Error during execution: No available route for the given airports.',
    ],
    [
      "get_flight_cost('SFO', 'LAX', '2024-01-01', 'coach')",
      'Error during execution: Invalid travel class. Options are: economy, business, first.',
    ],
    ["get_flight_cost('SFO', 'LAX', 20240101, 'first')", "Error during execution: 'int' object is not iterable"],
    ["book_flight('x', 'card', '2024-01-01', 'SFO', 'LAX', 'first')", no('Invalid access token')],
    [book('none', '2024-01-01', 'SFO', 'LAX', 'first'), no('Card not registered')],
    [book('empty', '2024-01-01', 'SFO', 'LAX', 'first'), no('Balance not found')],
    [book('card', '2024-01-01', 'XXX', 'LAX', 'first'), no('Invalid departure airport code: XXX')],
    [book('card', '2024-01-01', 'SFO', 'PVG', 'first'), no('Invalid destination airport code: PVG')],
    [book('card', '2024-13-01', 'SFO', 'LAX', 'first'), no('Invalid date format. Use YYYY-MM-DD.')],
    [
      book('card', '2024-01-01', 'SFO', 'LAX', 'coach'),
      no("Invalid travel class. Must be one of {'economy', 'business', 'first'}"),
    ],
    [book('card', '2024-01-01', 'LAX', 'PEK', 'first'), no('No available route for the given airports.')],
    [book('card', '2024-01-01', 'SFO', 'LAX', 'first'), no('Insufficient funds')],
    [
      book('card', '2024-01-02', 'SFO', 'LAX', 'economy'),
      '{"booking_id": "3426812", "transaction_id": "45451592", "booking_status": true, "booking_history": {}}',
    ],
    ["get_credit_card_balance('token', 'card')", '{"card_balance": 800.0}'],
    [
      "retrieve_invoice('token', '3426812')",
      '{"invoice": {"booking_id": "3426812", "travel_date": "2024-01-02", "travel_from": "SFO", "travel_to": "LAX", ' +
        '"travel_class": "economy", "travel_cost": 200.0, "transaction_id": "45451592"}}',
    ],
    ["retrieve_invoice('token')", '{"error": "Booking not found"}'],
    ["contact_customer_support('no', 'help')", '{"error": "Booking not found"}'],
    ["set_budget_limit('token', 900)", '{"budget_limit": 900.0}'],
    [book('card', '2024-01-02', 'SFO', 'LAX', 'economy'), no('Balance is less than budget limit')],
    [
      "purchase_insurance('token', 'full', '3426812', 901, 'card')",
      '{"insurance_status": false, "error": "Exceeded budget limit"}',
    ],
    [
      "purchase_insurance('token', 'full', '3426812', 50, 'card')",
      '{"insurance_id": "498276044", "insurance_status": true}',
    ],
    ["cancel_booking('token', '3426812')", '{"cancel_status": true}'],
    ["cancel_booking('token', '3426812')", '{"cancel_status": false, "error": "Booking not found"}'],
    ["get_credit_card_balance('token', 'card')", '{"card_balance": 950.0}'],
    ["get_booking_history('token')", '{"booking_history": {}}'],
    ['get_all_credit_cards()', '{"credit_card_list": {"card": {"balance": 950.0}, "empty": {}}}'],
  ]);
});

test('TravelAPI: travelers and money', () => {
  const no = (reason: string): string => `{"verification_status": false, "verification_failure": "${reason}"}`;
  play('TravelAPI', TRAVELER, [
    [
      "verify_traveler_information('Bo', 'Lee', '1990-01-01', 'US1')",
      no('Cannot book flight information for another user.Expected Ann Lee, got Bo Lee'),
    ],
    ["verify_traveler_information('Ann', 'Lee', '2008-01-02', 'US1')", '{"verification_status": true}'],
    ["verify_traveler_information('Ann', 'Lee', '2008-01-03', 'US1')", no('Traveler must be at least 18 years old.')],
    [
      "verify_traveler_information('Ann', 'Lee', '1990', 'US1')",
      no('Invalid date of birth format. Please use YYYY-MM-DD.'),
    ],
    [
      "verify_traveler_information('Ann', 'Lee', '1990-1-1', 'DE1')",
      no('Passport must be issued by the United States.'),
    ],
    [
      "verify_traveler_information('Ann', 'Lee', '1990-1-1', 1)",
      "Error during execution: 'int' object has no attribute 'startswith'",
    ],
    ["compute_exchange_rate('USD', 'EUR', 10)", '{"exchanged_value": 8.0}'],
    ["compute_exchange_rate('GBP', 'USD', 2.675)", '{"exchanged_value": 3.82}'],
    ["compute_exchange_rate('USD', 'RMB', '1')", '{"exchanged_value": 1111111.0}'],
    [
      "compute_exchange_rate('USD', 'GBP', '1')",
      "Error during execution: can't multiply sequence by non-int of type 'float'",
    ],
    [
      "compute_exchange_rate('EUR', 'GBP', 1)",
      'Error during execution: No available exchange rate for the given currencies.',
    ],
    ["get_nearest_airport_by_city('Rivermist')", '{"nearest_airport": "RMS"}'],
    ["get_nearest_airport_by_city('Atlantis')", '{"nearest_airport": "Unknown"}'],
  ]);
});

test('states, and seeds of the wrong type', () => {
  const state = episodeOf('TravelAPI', TRAVELER).state().get('TravelAPI') as Map<string, unknown>;
  assert.equal(state.get('access_token'), 'token');
  assert.equal(state.get('budget_limit'), null);
  assert.throws(
    () => episodeOf('TradingBot', { random_seed: 'x' }),
    /^UserError: initial_config: random_seed must be an int, not str$/,
  );
});
