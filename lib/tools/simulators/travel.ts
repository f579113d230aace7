// TravelAPI of BFCL: flights, cards, bookings.
import { at, contains, hasKey, keyOf, less, minus, plus, textWith, toFloat } from '../python/operations.ts';
import { repr, str } from '../python/print.ts';
import { PythonRandom } from '../python/random.ts';
import { type CalendarDate, parseDate } from '../python/time.ts';
import { dict, type PythonDict, type PythonValue, pythonEqual } from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenRandom, refuseLongContext } from './base.ts';
import { baseCost, exchanged, flightCost, NO_ROUTE } from './travel-fares.ts';
import { AIRPORTS, CLASSES, NEAREST } from './travel-routes.ts';

const SEED = 141053;
const ADULT = 18;
const INVOICED = ['travel_date', 'travel_from', 'travel_to', 'travel_class', 'travel_cost', 'transaction_id'];
const SUPPORT =
  'Thank you for contacting customer support. Your message has been received and we will get back to you shortly.';

export class TravelApi extends BaseSimulator {
  #random = new PythonRandom(SEED);
  #cards: PythonDict = new Map();
  #bookings: PythonDict = new Map();
  #token: PythonValue = null;
  #tokenType: PythonValue = null;
  #expires: PythonValue = null;
  #scope: PythonValue = null;
  #firstName: PythonValue = null;
  #lastName: PythonValue = null;
  #limit: PythonValue = null;

  constructor(clock: Clock) {
    super(clock);
    this.#defineSession();
    this.#defineCards();
    this.#defineFlights();
    this.#defineBookings();
    this.#defineService();
  }

  load(config: PythonDict, longContext = false): void {
    refuseLongContext('TravelAPI', longContext);
    this.#random = givenRandom(config, SEED);
    this.#cards = givenDict(config, 'credit_card_list', new Map());
    this.#bookings = givenDict(config, 'booking_record', new Map());
    this.#token = given(config, 'access_token', null);
    this.#tokenType = given(config, 'token_type', null);
    this.#expires = given(config, 'token_expires_in', null);
    this.#scope = given(config, 'token_scope', null);
    this.#firstName = given(config, 'user_first_name', null);
    this.#lastName = given(config, 'user_last_name', null);
    this.#limit = given(config, 'budget_limit', null);
  }

  state(): PythonDict {
    return dict({
      credit_card_list: this.#cards,
      booking_record: this.#bookings,
      access_token: this.#token,
      token_type: this.#tokenType,
      token_expires_in: this.#expires,
      token_scope: this.#scope,
      user_first_name: this.#firstName,
      user_last_name: this.#lastName,
      budget_limit: this.#limit,
      long_context: false,
    });
  }

  /** An identifier of so many digits. */
  #draw(digits: number): string {
    return String(this.#random.integer(10 ** (digits - 1), 10 ** digits - 1));
  }

  /** What is wrong with a token; null when it is good. */
  #refusal(token: PythonValue): string | null {
    if (pythonEqual(this.#expires, 0)) return 'Token expired';
    return pythonEqual(token, this.#token) ? null : 'Invalid access token';
  }

  /** A method whose first parameter is a token that must be good; the others are for `run`. */
  #defineWithToken(
    signature: string,
    run: (...values: PythonValue[]) => PythonValue,
    refused: (reason: string) => PythonValue = error,
  ): void {
    this.define(signature, (token, ...values) => {
      const reason = this.#refusal(token!);
      return reason === null ? run(...values) : refused(reason);
    });
  }

  #defineSession(): void {
    this.define(
      'authenticate_travel(client_id, client_secret, refresh_token, grant_type, user_first_name, user_last_name)',
      (_id, _secret, _refresh, scope, firstName, lastName) => {
        const token = this.#draw(6);
        [this.#token, this.#tokenType, this.#expires, this.#scope] = [token, 'Bearer', 2, scope!];
        [this.#firstName, this.#lastName] = [firstName!, lastName!];
        return dict({ expires_in: 2, access_token: token, token_type: 'Bearer', scope: scope! });
      },
    );
    this.define('travel_get_login_status()', () =>
      dict({ status: this.#expires !== null && !pythonEqual(this.#expires, 0) }),
    );
    this.define('verify_traveler_information(first_name, last_name, date_of_birth, passport_number)', (...values) => {
      const failure = this.#travelerProblem(...(values as [PythonValue, PythonValue, PythonValue, PythonValue]));
      if (failure === null) return dict({ verification_status: true });
      return dict({ verification_status: false, verification_failure: failure });
    });
    this.#defineWithToken('set_budget_limit(access_token, budget_limit)', (limit) => {
      this.#limit = toFloat(limit!);
      return dict({ budget_limit: this.#limit });
    });
    this.define('get_budget_fiscal_year(lastModifiedAfter=None, includeRemoved=None)', () =>
      dict({ budget_fiscal_year: '2018' }),
    );
  }

  #defineCards(): void {
    this.define(
      'register_credit_card(access_token, card_number, expiration_date, cardholder_name, card_verification_number)',
      (token, number, expires, holder, code) => {
        const reason = this.#expires === null ? 'Token not initialized' : this.#refusal(token!);
        if (reason !== null) return error(reason);
        if (hasKey(this.#cards, number!)) return error('Card already registered');
        const id = this.#draw(12);
        const card = dict({
          card_number: number!,
          expiration_date: expires!,
          cardholder_name: holder!,
          card_verification_number: code!,
          balance: this.#random.integer(10000, 99999),
        });
        this.#cards.set(id, card);
        return dict({ card_id: id });
      },
    );
    this.#defineWithToken('get_credit_card_balance(access_token, card_id)', (id) => {
      if (hasKey(this.#cards, id!)) return dict({ card_balance: at(at(this.#cards, id!), 'balance') });
      return error(`Card not registered. Here are a list of card_id's: ${repr([...this.#cards.keys()])}`);
    });
    this.define('get_all_credit_cards()', () => dict({ credit_card_list: this.#cards }));
  }

  #defineFlights(): void {
    this.define('list_all_airports()', () => AIRPORTS);
    this.define('get_nearest_airport_by_city(location)', (location) =>
      dict({ nearest_airport: NEAREST.get(keyOf(location!)) ?? 'Unknown' }),
    );
    this.define('get_flight_cost(travel_from, travel_to, travel_date, travel_class)', (from, to, date, travelClass) =>
      dict({ travel_cost_list: [flightCost(from!, to!, date!, travelClass!)] }),
    );
    const refused = (reason: string): PythonDict => dict({ booking_status: false, error: reason });
    this.#defineWithToken(
      'book_flight(access_token, card_id, travel_date, travel_from, travel_to, travel_class)',
      (card, date, from, to, travelClass) => {
        const reason = this.#bookingProblem(card!, date!, from!, to!, travelClass!);
        return reason === null ? this.#book(card!, date!, from!, to!, travelClass!) : refused(reason);
      },
      refused,
    );
  }

  #defineBookings(): void {
    this.#defineWithToken('retrieve_invoice(access_token, booking_id=None, insurance_id=None)', (id) => {
      if (!hasKey(this.#bookings, id!)) return error('Booking not found');
      const booking = at(this.#bookings, id!);
      const invoice = Object.fromEntries(INVOICED.map((name) => [name, at(booking, name)]));
      return dict({ invoice: dict({ booking_id: id!, ...invoice }) });
    });
    this.#defineWithToken('get_booking_history(access_token)', () => dict({ booking_history: this.#bookings }));
    const notCancelled = (reason: string): PythonDict => dict({ cancel_status: false, error: reason });
    this.#defineWithToken(
      'cancel_booking(access_token, booking_id)',
      (id) => {
        if (!hasKey(this.#bookings, id!)) return notCancelled('Booking not found');
        const booking = at(this.#bookings, id!);
        const [card, cost] = [at(booking, 'card_id'), at(booking, 'travel_cost')];
        this.#changeBalance(card, (balance) => plus(balance, cost, '+='));
        this.#bookings.delete(keyOf(id!)!);
        return dict({ cancel_status: true });
      },
      notCancelled,
    );
  }

  #defineService(): void {
    const notInsured = (reason: string): PythonDict => dict({ insurance_status: false, error: reason });
    this.#defineWithToken(
      'purchase_insurance(access_token, insurance_type, booking_id, insurance_cost, card_id)',
      (_type, booking, cost, card) => {
        if (this.#limit !== null && less(this.#limit, cost!)) return notInsured('Exceeded budget limit');
        if (!hasKey(this.#bookings, booking!)) return notInsured('Booking not found');
        if (!hasKey(this.#cards, card!)) return notInsured('Credit card not registered');
        this.#changeBalance(card!, (balance) => minus(balance, cost!, '-='));
        return dict({ insurance_id: this.#draw(9), insurance_status: true });
      },
      notInsured,
    );
    this.define('compute_exchange_rate(base_currency, target_currency, value)', (base, target, value) =>
      exchanged(base!, target!, value!),
    );
    this.define('contact_customer_support(booking_id, message)', (id) =>
      hasKey(this.#bookings, id!) ? dict({ customer_support_message: SUPPORT }) : error('Booking not found'),
    );
  }

  #changeBalance(cardId: PythonValue, change: (balance: PythonValue) => PythonValue): void {
    const card = at(this.#cards, cardId);
    const balance = change(at(card, 'balance'));
    (card as PythonDict).set('balance', balance);
  }

  /** Why a flight cannot be booked, or null. */
  #bookingProblem(
    cardId: PythonValue,
    date: PythonValue,
    from: PythonValue,
    to: PythonValue,
    travelClass: PythonValue,
  ): string | null {
    if (!hasKey(this.#cards, cardId)) return 'Card not registered';
    const card = at(this.#cards, cardId);
    if (!contains(card, 'balance')) return 'Balance not found';
    if (!contains(AIRPORTS, from)) return `Invalid departure airport code: ${str(from)}`;
    if (!contains(AIRPORTS, to)) return `Invalid destination airport code: ${str(to)}`;
    if (dateOrNull(date) === null) return 'Invalid date format. Use YYYY-MM-DD.';
    // The reference prints a set, whose order is not defined.
    if (!CLASSES.has(keyOf(travelClass)))
      return `Invalid travel class. Must be one of {'economy', 'business', 'first'}`;
    if (baseCost(from, to) === null) return NO_ROUTE;
    const balance = at(card, 'balance');
    if (less(balance, flightCost(from, to, date, travelClass))) return 'Insufficient funds';
    if (this.#limit !== null && less(balance, this.#limit)) return 'Balance is less than budget limit';
    return null;
  }

  #book(
    card: PythonValue,
    date: PythonValue,
    from: PythonValue,
    to: PythonValue,
    travelClass: PythonValue,
  ): PythonDict {
    const cost = flightCost(from, to, date, travelClass);
    this.#changeBalance(card, (balance) => minus(balance, cost, '-='));
    const [id, transaction] = [this.#draw(7), this.#draw(8)];
    const booking = dict({
      card_id: card,
      travel_date: date,
      travel_from: from,
      travel_to: to,
      travel_class: travelClass,
      travel_cost: cost,
      transaction_id: transaction,
    });
    this.#bookings.set(id, booking);
    return dict({ booking_id: id, transaction_id: transaction, booking_status: true, booking_history: new Map() });
  }

  #travelerProblem(first: PythonValue, last: PythonValue, born: PythonValue, passport: PythonValue): string | null {
    if (!pythonEqual(this.#firstName, first) || !pythonEqual(this.#lastName, last)) {
      const names = `Expected ${str(this.#firstName)} ${str(this.#lastName)}, got ${str(first)} ${str(last)}`;
      return `Cannot book flight information for another user.${names}`;
    }
    const birth = dateOrNull(born);
    if (birth === null) return 'Invalid date of birth format. Please use YYYY-MM-DD.';
    if (this.#ageOf(birth) < ADULT) return 'Traveler must be at least 18 years old.';
    return textWith(passport, 'startswith').startsWith('US') ? null : 'Passport must be issued by the United States.';
  }

  /** In years, today in UTC. */
  #ageOf({ year, month, day }: CalendarDate): number {
    const now = new Date(this.clock.now());
    const had = (now.getUTCMonth() + 1) * 100 + now.getUTCDate() >= month * 100 + day;
    return now.getUTCFullYear() - year - (had ? 0 : 1);
  }
}

/** Null for a text that is no date; what is no text is an error. */
function dateOrNull(value: PythonValue): CalendarDate | null {
  try {
    return parseDate(value);
  } catch (failure) {
    if (failure instanceof PythonError && typeof value === 'string') return null;
    throw failure;
  }
}
