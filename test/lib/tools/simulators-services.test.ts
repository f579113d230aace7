// The other four simulated APIs: tickets, trading, travel, a car. What they return was worked out by hand from the reference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PythonRandom } from '../../../lib/tools/python/random.ts';
import { UserError } from '../../../lib/errors.ts';
import { episodeOf, resultsOf } from '../../support/tools.ts';

test('tickets: a user creates, edits, resolves and lists them', () => {
  const queue = [{ id: 7, status: 'Open', description: 'old' }];
  assert.deepEqual(
    resultsOf('TicketAPI', { ticket_queue: queue }, [
      "create_ticket('a')",
      "ticket_login('ann', '')",
      "ticket_login('ann', 'pw')",
      "create_ticket('a', priority=6)",
      "create_ticket('a', priority='high')",
      "create_ticket('a', 'b', 3)",
      "edit_ticket(1, {'status': 'Closed', 'title': None})",
      "edit_ticket(1, {'colour': 'red'})",
      "edit_ticket(1, 'title')",
      'close_ticket(1)',
      "resolve_ticket(7, 'done')",
      "resolve_ticket(7, 'again')",
      'get_ticket(8)',
      'get_user_tickets()',
      'logout()',
      'logout()',
    ]),
    [
      '{"error": "User not authenticated. Please log in to create a ticket."}',
      '{"success": false}',
      '{"success": true}',
      '{"error": "Invalid priority. Priority must be between 1 and 5."}',
      "Error during execution: '<' not supported between instances of 'str' and 'int'",
      '{"id": 1, "title": "a", "description": "b", "status": "Open", "priority": 3, "created_by": "ann"}',
      '{"status": "Ticket 1 has been updated successfully."}',
      '{"error": "Invalid fields for update: colour"}',
      "Error during execution: 'str' object has no attribute 'keys'",
      '{"error": "Ticket with ID 1 is already closed."}',
      '{"status": "Ticket 7 has been resolved successfully."}',
      '{"error": "Ticket with ID 7 is already resolved."}',
      '{"error": "Ticket with ID 8 not found."}',
      "Error during execution: 'created_by'",
      '{"success": true}',
      '{"success": false}',
    ],
  );
});

test('trading: orders need a login, a known stock and enough money', () => {
  assert.deepEqual(
    resultsOf('TradingBot', {}, [
      "place_order('Buy', 'AAPL', 1, 1)",
      "trading_login('a', 'b')",
      "trading_login('a', 'b')",
      "place_order('Buy', 'ABCD', 1, 1)",
      "place_order('Buy', 'AAPL', 0, 1)",
      "place_order('Buy', 'AAPL', 100.125, 100)",
      "place_order('Sell', 'AAPL', 100, 1000)",
      "place_order(1, 'AAPL', 100, 1)",
      'get_order_details(12446)',
      'cancel_order(12446)',
      'cancel_order(12345)',
      'cancel_order([1])',
      'get_order_history()',
      "add_to_watchlist('ZETA')",
      "remove_stock_from_watchlist('NVDA')",
      "get_symbol_by_name('Zeta Corp')",
      "filter_stocks_by_price(['AAPL', 'NEPT', 'None'], 50, 300)",
      "notify_price_change(['AAPL', 'NVDA'], 0.2)",
      'withdraw_funds(10)',
    ]),
    [
      '{"error": "User not authenticated. Please log in to place an order."}',
      '{"status": "Logged in successfully"}',
      '{"status": "Already logged in"}',
      '{"error": "Invalid stock symbol: ABCD"}',
      '{"error": "Price and amount must be positive values."}',
      '{"error": "Insufficient funds: required $10012.50 but only $10000.00 available."}',
      '{"order_id": 12446, "order_type": "Sell", "status": "Pending", "price": 100.0, "amount": 1000}',
      "Error during execution: 'int' object has no attribute 'lower'",
      '{"id": 12446, "order_type": "Sell", "symbol": "AAPL", "price": 100.0, "amount": 1000, "status": "Open"}',
      '{"order_id": 12446, "status": "Cancelled"}',
      '{"error": "Can\'t cancel order 12345. Order is already completed."}',
      "Error during execution: unhashable type: 'list'",
      '{"history": [12345, 12446]}',
      '{"watchlist": ["NVDA", "ZETA"]}',
      '{"status": "Stock NVDA removed from watchlist successfully."}',
      '{"symbol": "ZETA"}',
      '{"filtered_stocks": ["AAPL", "NEPT"]}',
      '{"notification": "Stocks NVDA have significant price changes."}',
      '{"error": "Market is closed. Transactions are not allowed."}',
    ],
  );
});

test('trading: the times of transactions are drawn from the seed', () => {
  const config = { authenticated: true, market_status: 'Open', random_seed: 5 };
  const [, , history] = resultsOf('TradingBot', config, [
    'fund_account(0.5)',
    'withdraw_funds(100)',
    'get_transaction_history()',
  ]);
  const random = new PythonRandom(5);
  const start = Date.UTC(2024, 8, 1, 10, 30) / 1000;
  const times = [0, 1].map(() => new Date(1000 * random.integer(start, start + 86_400)).toISOString());
  const [deposit, withdrawal] = (
    JSON.parse(history!) as { transaction_history: { timestamp: string; amount: number }[] }
  ).transaction_history;
  assert.deepEqual([deposit!.amount, withdrawal!.amount], [0.5, 100]);
  assert.deepEqual(
    [deposit!.timestamp, withdrawal!.timestamp],
    times.map((time) => time.slice(0, 19).replace('T', ' ')),
  );
  const [bad] = resultsOf('TradingBot', config, ["get_transaction_history('2024-13-01')"]);
  assert.match(bad!, /^Error during execution: time data '2024-13-01' does not match format '%Y-%m-%d'$/);
});

const TRAVELLER = {
  ...{
    access_token: 'abc',
    token_expires_in: 3600,
    user_first_name: 'Ann',
    user_last_name: 'Lee',
    budget_limit: 500.0,
  },
  credit_card_list: { main: { card_type: 'Visa', balance: 2000.0 } },
};

test('travel: what a flight costs, books and gives back', () => {
  const episode = episodeOf('TravelAPI', TRAVELLER);
  const run = (call: string): string => episode.run(call);
  // Digits of the date that add up to an even number double the price.
  assert.equal(run("get_flight_cost('SFO', 'LAX', '2024-11-11', 'business')"), '{"travel_cost_list": [800.0]}');
  assert.equal(run("get_flight_cost('SFO', 'LAX', '2024-11-10', 'economy')"), '{"travel_cost_list": [200.0]}');
  assert.equal(
    run("get_flight_cost('SFO', 'XYZ', '2024-11-11', 'economy')"),
    'Error during execution: No available route for the given airports.',
  );
  const book = (more: string): string => run(`book_flight(access_token='abc', card_id='main', ${more})`);
  const route = "travel_from='SFO', travel_to='LAX', travel_class='business'";
  assert.equal(
    book(`travel_date='11/11/2024', ${route}`),
    '{"booking_status": false, "error": "Invalid date format. Use YYYY-MM-DD."}',
  );
  assert.match(book(`travel_date=20241111, ${route}`), /strptime\(\) argument 1 must be str, not int/);
  const booked = JSON.parse(book(`travel_date='2024-11-11', ${route}`)) as {
    booking_id: string;
    booking_history: object;
  };
  assert.match(booked.booking_id, /^\d{7}$/);
  assert.deepEqual(booked.booking_history, {});
  assert.equal(run("get_credit_card_balance('abc', 'main')"), '{"card_balance": 1200.0}');
  assert.equal(
    run("purchase_insurance('abc', 'basic', 'x', 600, 'main')"),
    '{"insurance_status": false, "error": "Exceeded budget limit"}',
  );
  assert.equal(run(`cancel_booking('abc', '${booked.booking_id}')`), '{"cancel_status": true}');
  assert.equal(run("get_credit_card_balance('abc', 'main')"), '{"card_balance": 2000.0}');
  assert.equal(run("get_credit_card_balance('no', 'main')"), '{"error": "Invalid access token"}');
});

test('travel: money, people and places', () => {
  assert.deepEqual(
    resultsOf('TravelAPI', TRAVELLER, [
      "compute_exchange_rate('USD', 'RMB', 3)",
      "compute_exchange_rate('JPY', 'USD', 1000)",
      "compute_exchange_rate('EUR', 'RMB', 1)",
      "verify_traveler_information('Bob', 'Lee', '1990-01-01', 'US1')",
      "verify_traveler_information('Ann', 'Lee', '2008-01-02', 'US1')",
      "verify_traveler_information('Ann', 'Lee', '2008-01-03', 'US1')",
      "verify_traveler_information('Ann', 'Lee', '1990-01-01', 'DE1')",
      "set_budget_limit('abc', '12')",
      "get_nearest_airport_by_city('Tokyo')",
      "contact_customer_support('1', 'help')",
    ]),
    [
      '{"exchanged_value": 21.0}',
      '{"exchanged_value": 9.09}',
      'Error during execution: No available exchange rate for the given currencies.',
      '{"verification_status": false, "verification_failure": "Cannot book flight information for another user.Expected Ann Lee, got Bob Lee"}',
      '{"verification_status": true}',
      '{"verification_status": false, "verification_failure": "Traveler must be at least 18 years old."}',
      '{"verification_status": false, "verification_failure": "Passport must be issued by the United States."}',
      '{"budget_limit": 12.0}',
      '{"nearest_airport": "HND"}',
      '{"error": "Booking not found"}',
    ],
  );
});

test('a car starts with its doors locked and the brake pressed', () => {
  const doors = { driver: 'unlocked', passenger: 'locked', rear_left: 'locked', rear_right: 'locked' };
  assert.deepEqual(
    resultsOf('VehicleControlAPI', { fuelLevel: 10.5, doorStatus: doors }, [
      "startEngine('START')",
      "lockDoors(False, ['driver', 'rear_left'])",
      "startEngine('START')",
      'pressBrakePedal(0.5)',
      "startEngine('START')",
      'pressBrakePedal(1.0)',
      "startEngine('START')",
      "setCruiseControl('x', True, 10)",
      'setCruiseControl(63, True, 10)',
      'setCruiseControl(65, True, 10)',
      'fillFuelTank(40)',
      'fillFuelTank(-1)',
      'fillFuelTank(4.5)',
      "lockDoors(True, ['trunk'])",
    ]),
    [
      '{"error": "All doors must be locked before starting the engine. Here are the unlocked doors: driver"}',
      '{"lockStatus": "locked", "remainingUnlockedDoors": 0}',
      '{"error": "Brake pedal needs to be pressed when starting the engine."}',
      '{"brakePedalStatus": "pressed", "brakePedalForce": 500.0}',
      '{"error": "Must press the brake fully before starting the engine."}',
      '{"brakePedalStatus": "pressed", "brakePedalForce": 1000.0}',
      '{"engineState": "running", "fuelLevel": 10.5, "batteryVoltage": 12.6}',
      "Error during execution: could not convert string to float: 'x'",
      '{"error": "Invalid speed"}',
      '{"cruiseStatus": "active", "currentSpeed": 65.0, "distanceToNextVehicle": 10.0}',
      '{"error": "Cannot fill gas above the tank capacity."}',
      '{"error": "Fuel amount cannot be negative."}',
      '{"fuelLevel": 15.0}',
      "Error during execution: 'trunk'",
    ],
  );
});

test('a car knows distances, tires and its climate', () => {
  assert.deepEqual(
    resultsOf('VehicleControlAPI', { fuelLevel: 10 }, [
      "estimate_distance('94016', '83214')",
      "estimate_distance('94016', '94016')",
      "get_zipcode_based_on_city('Oakendale')",
      'estimate_drive_feasibility_by_mileage(200.5)',
      "liter_to_gallon('3')",
      "adjustClimateControl(50, unit='fahrenheit', mode='heat')",
      "displayCarStatus('climate')",
      'adjustClimateControl(20, fanSpeed=101)',
      'check_tire_pressure()',
      "setHeadlights('auto')",
      'set_navigation(3)',
    ]),
    [
      '{"distance": 980.0}',
      '{"error": "distance not found in database."}',
      '{"zipcode": "47329"}',
      '{"canDrive": false}',
      "Error during execution: can't multiply sequence by non-int of type 'float'",
      '{"currentACTemperature": 50, "climateMode": "heat", "humidityLevel": 50.0}',
      '{"currentACTemperature": 10.0, "fanSpeed": 50, "climateMode": "heat", "humidityLevel": 50.0}',
      '{"error": "Fan speed must be between 0 and 100."}',
      '{"frontLeftTirePressure": 32.0, "frontRightTirePressure": 32.0, "rearLeftTirePressure": 30.0, "rearRightTirePressure": 30.0, "healthy_tire_pressure": true, "car_info": {}}',
      '{"headlightStatus": "off"}',
      'Error during execution: can only concatenate str (not "int") to str',
    ],
  );
});

test('configurations of a wrong shape are errors that say where', () => {
  assert.throws(
    () => episodeOf('TradingBot', { orders: [] }),
    (e) => e instanceof UserError && /orders must be a dict/.test(e.message),
  );
  assert.throws(() => episodeOf('VehicleControlAPI', { random_seed: 'x' }), /random_seed must be an int/);
  assert.throws(() => episodeOf('TicketAPI', { ticket_queue: 3 }), /ticket_queue must be a list/);
});
