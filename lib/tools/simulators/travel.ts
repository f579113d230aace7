// TravelAPI of BFCL: flights, cards, bookings.
import { UserError } from '../../errors.ts';
import {
  at,
  contains,
  hasKey,
  keyOf,
  less,
  minus,
  over,
  plus,
  textWith,
  times,
  toFloat,
} from '../python/operations.ts';
import { repr, str } from '../python/print.ts';
import { PythonRandom } from '../python/random.ts';
import { type CalendarDate, parseDate } from '../python/time.ts';
import {
  dict,
  float,
  isDict,
  type PythonDict,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  round,
  typeName,
} from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenRandom } from './base.ts';
import { AIRPORTS, BASE_COSTS, NEAREST, RATES } from './travel-routes.ts';

const FACTORS: ReadonlyMap<PythonValue, number> = new Map([
  ['economy', 1],
  ['business', 2],
  ['first', 5],
]);
const SESSION = [
  'access_token',
  'token_type',
  'token_expires_in',
  'token_scope',
  'user_first_name',
  'user_last_name',
  'budget_limit',
] as const;

export class TravelApi extends BaseSimulator {
  #random = new PythonRandom(0);
  #cards: PythonDict = new Map();
  #bookings: PythonDict = new Map();
  readonly #session = new Map<(typeof SESSION)[number], PythonValue>();

  constructor(clock: Clock) {
    super(clock);
    this.#defineSession();
    this.#defineFlights();
    this.#defineService();
  }

  load(config: PythonDict, longContext = false): void {
    if (longContext) throw new UserError('TravelAPI has no fillers for long contexts here');
    this.#random = givenRandom(config, 141053);
    this.#cards = givenDict(config, 'credit_card_list', new Map());
    this.#bookings = givenDict(config, 'booking_record', new Map());
    for (const name of SESSION) this.#session.set(name, given(config, name, null));
  }

  state(): PythonDict {
    return new Map<string, PythonValue>([
      ['credit_card_list', this.#cards],
      ['booking_record', this.#bookings],
      ...this.#session,
      ['long_context', false],
    ]);
  }

  #now(name: (typeof SESSION)[number]): PythonValue {
    return this.#session.get(name)!;
  }
  #draw(digits: number): string {
    return String(this.#random.integer(10 ** (digits - 1), 10 ** digits - 1));
  }

  /** What is wrong with a token; null when it is good. */
  #refused(token: PythonValue): string | null {
    if (pythonEqual(this.#now('token_expires_in'), 0)) return 'Token expired';
    return pythonEqual(token, this.#now('access_token')) ? null : 'Invalid access token';
  }

  #defineSession(): void {
    this.define(
      'authenticate_travel(client_id, client_secret, refresh_token, grant_type, user_first_name, user_last_name)',
      (_id, _secret, _refresh, grant, first, last) => {
        const token = this.#draw(6);
        const values = [token, 'Bearer', 2, grant!, first!, last!];
        for (const [i, value] of values.entries()) this.#session.set(SESSION[i]!, value);
        return dict({ expires_in: 2, access_token: token, token_type: 'Bearer', scope: grant! });
      },
    );
    this.define('travel_get_login_status()', () => {
      const expires = this.#now('token_expires_in');
      return dict({ status: expires !== null && !pythonEqual(expires, 0) });
    });
    this.define('get_budget_fiscal_year(lastModifiedAfter=None, includeRemoved=None)', () =>
      dict({ budget_fiscal_year: '2018' }),
    );
    this.define(
      'register_credit_card(access_token, card_number, expiration_date, cardholder_name, card_verification_number)',
      (token, number, expires, holder, code) => {
        if (this.#now('token_expires_in') === null) return error('Token not initialized');
        const refused = this.#refused(token!);
        if (refused !== null) return error(refused);
        if (hasKey(this.#cards, number!)) return error('Card already registered');
        const id = this.#draw(12);
        const card = {
          card_number: number!,
          expiration_date: expires!,
          cardholder_name: holder!,
          card_verification_number: code!,
        };
        this.#cards.set(id, dict({ ...card, balance: this.#random.integer(10000, 99999) }));
        return dict({ card_id: id });
      },
    );
    this.define('get_credit_card_balance(access_token, card_id)', (token, id) => {
      const refused = this.#refused(token!);
      if (refused !== null) return error(refused);
      if (!hasKey(this.#cards, id!))
        return error(`Card not registered. Here are a list of card_id's: ${repr([...this.#cards.keys()])}`);
      return dict({ card_balance: at(at(this.#cards, keyOf(id!)!), 'balance') });
    });
    this.define('set_budget_limit(access_token, budget_limit)', (token, limit) => {
      const refused = this.#refused(token!);
      if (refused !== null) return error(refused);
      this.#session.set('budget_limit', toFloat(limit!));
      return dict({ budget_limit: toFloat(limit!) });
    });
    this.define('get_all_credit_cards()', () => dict({ credit_card_list: this.#cards }));
  }

  #defineFlights(): void {
    this.define('get_flight_cost(travel_from, travel_to, travel_date, travel_class)', (from, to, date, travelClass) =>
      dict({ travel_cost_list: [this.#cost(from!, to!, date!, travelClass!)] }),
    );
    this.define(
      'book_flight(access_token, card_id, travel_date, travel_from, travel_to, travel_class)',
      (token, card, date, from, to, travelClass) => {
        const booked = this.#book(token!, card!, date!, from!, to!, travelClass!);
        return typeof booked === 'string' ? dict({ booking_status: false, error: booked }) : booked;
      },
    );
    this.define('retrieve_invoice(access_token, booking_id=None, insurance_id=None)', (token, id) => {
      const refused = this.#refused(token!);
      if (refused !== null) return error(refused);
      if (!hasKey(this.#bookings, id!)) return error('Booking not found');
      const booking = at(this.#bookings, keyOf(id!)!);
      const names = ['travel_date', 'travel_from', 'travel_to', 'travel_class', 'travel_cost', 'transaction_id'];
      return dict({
        invoice: dict({ booking_id: id!, ...Object.fromEntries(names.map((name) => [name, at(booking, name)])) }),
      });
    });
    this.define('get_booking_history(access_token)', (token) => {
      const refused = this.#refused(token!);
      return refused === null ? dict({ booking_history: this.#bookings }) : error(refused);
    });
    this.define('list_all_airports()', () => [...AIRPORTS]);
    this.define('cancel_booking(access_token, booking_id)', (token, id) => {
      const refused = this.#refused(token!) ?? (hasKey(this.#bookings, id!) ? null : 'Booking not found');
      if (refused !== null) return dict({ cancel_status: false, error: refused });
      const booking = at(this.#bookings, keyOf(id!)!);
      const [card, cost] = [this.#card(at(booking, 'card_id')), at(booking, 'travel_cost')];
      card.set('balance', plus(at(card, 'balance'), cost, '+='));
      this.#bookings.delete(keyOf(id!)!);
      return dict({ cancel_status: true });
    });
    this.define(
      'purchase_insurance(access_token, insurance_type, booking_id, insurance_cost, card_id)',
      (token, _type, booking, cost, card) => {
        const limit = this.#now('budget_limit');
        const refused =
          this.#refused(token!) ??
          (limit !== null && less(limit, cost!) ? 'Exceeded budget limit' : null) ??
          (hasKey(this.#bookings, booking!) ? null : 'Booking not found') ??
          (hasKey(this.#cards, card!) ? null : 'Credit card not registered');
        if (refused !== null) return dict({ insurance_status: false, error: refused });
        const known = this.#card(card!);
        known.set('balance', minus(at(known, 'balance'), cost!, '-='));
        return dict({ insurance_id: this.#draw(9), insurance_status: true });
      },
    );
  }

  #defineService(): void {
    this.define('compute_exchange_rate(base_currency, target_currency, value)', (base, target, value) => {
      for (const [currency, rate] of RATES) {
        if (base === 'USD' && target === currency)
          return dict({ exchanged_value: toFloat(times(value!, rateOf(rate))) });
        if (base === currency && target === 'USD')
          return dict({ exchanged_value: round(over(value!, rateOf(rate)) as PythonNumber, 2) });
      }
      throw new PythonError('No available exchange rate for the given currencies.');
    });
    this.define(
      'verify_traveler_information(first_name, last_name, date_of_birth, passport_number)',
      (first, last, born, passport) => {
        const problem = this.#travelerProblem(first!, last!, born!, passport!);
        return problem === null
          ? dict({ verification_status: true })
          : dict({ verification_status: false, verification_failure: problem });
      },
    );
    this.define('get_nearest_airport_by_city(location)', (location) => {
      keyOf(location!);
      return dict({ nearest_airport: NEAREST.get(location!) ?? 'Unknown' });
    });
    this.define('contact_customer_support(booking_id, message)', (id) =>
      hasKey(this.#bookings, id!)
        ? dict({
            customer_support_message:
              'Thank you for contacting customer support. Your message has been received and we will get back to you shortly.',
          })
        : error('Booking not found'),
    );
  }

  #card(id: PythonValue): PythonDict {
    const card = at(this.#cards, keyOf(id) ?? 'None');
    if (isDict(card)) return card;
    throw new PythonError(`'${typeName(card)}' object is not subscriptable`);
  }

  #cost(from: PythonValue, to: PythonValue, date: PythonValue, travelClass: PythonValue): PythonValue {
    keyOf(from);
    keyOf(to);
    const base = typeof from === 'string' && typeof to === 'string' ? BASE_COSTS.get(`${from} ${to}`) : undefined;
    if (base === undefined) throw new PythonError('No available route for the given airports.');
    const factor = FACTORS.get(travelClass);
    if (factor === undefined) throw new PythonError('Invalid travel class. Options are: economy, business, first.');
    if (typeof date !== 'string') throw new PythonError(`'${typeName(date)}' object is not iterable`);
    const digits = [...date].reduce((sum, c) => sum + (/\d/.test(c) ? Number(c) : 0), 0);
    return float(base * factor * (digits % 2 === 0 ? 2 : 1));
  }

  /** The booking, or why there is none. */
  #book(
    token: PythonValue,
    cardId: PythonValue,
    date: PythonValue,
    from: PythonValue,
    to: PythonValue,
    travelClass: PythonValue,
  ): PythonDict | string {
    const refused = this.#refused(token);
    if (refused !== null) return refused;
    if (!hasKey(this.#cards, cardId)) return 'Card not registered';
    const card = this.#card(cardId);
    if (!card.has('balance')) return 'Balance not found';
    if (!contains(AIRPORTS, from)) return `Invalid departure airport code: ${str(from)}`;
    if (!contains(AIRPORTS, to)) return `Invalid destination airport code: ${str(to)}`;
    if (dateOf(date) === null) return 'Invalid date format. Use YYYY-MM-DD.';
    keyOf(travelClass);
    if (!FACTORS.has(travelClass)) return "Invalid travel class. Must be one of {'economy', 'business', 'first'}";
    let cost: PythonValue;
    try {
      cost = this.#cost(from, to, date, travelClass);
    } catch (failure) {
      if (failure instanceof PythonError) return failure.message;
      throw failure;
    }
    const balance = at(card, 'balance');
    if (less(balance, cost)) return 'Insufficient funds';
    const limit = this.#now('budget_limit');
    if (limit !== null && less(balance, limit)) return 'Balance is less than budget limit';
    card.set('balance', minus(balance, cost, '-='));
    const [id, transaction] = [this.#draw(7), this.#draw(8)];
    const booking = {
      card_id: cardId,
      travel_date: date,
      travel_from: from,
      travel_to: to,
      travel_class: travelClass,
      travel_cost: cost,
    };
    this.#bookings.set(id, dict({ ...booking, transaction_id: transaction }));
    return dict({ booking_id: id, transaction_id: transaction, booking_status: true, booking_history: new Map() });
  }

  #travelerProblem(first: PythonValue, last: PythonValue, born: PythonValue, passport: PythonValue): string | null {
    const [knownFirst, knownLast] = [this.#now('user_first_name'), this.#now('user_last_name')];
    if (!pythonEqual(knownFirst, first) || !pythonEqual(knownLast, last)) {
      return `Cannot book flight information for another user.Expected ${str(knownFirst)} ${str(knownLast)}, got ${str(first)} ${str(last)}`;
    }
    const birth = dateOf(born);
    if (birth === null) return 'Invalid date of birth format. Please use YYYY-MM-DD.';
    const today = new Date(this.clock.now());
    const had = (today.getMonth() + 1) * 100 + today.getDate() >= birth.month * 100 + birth.day;
    if (today.getFullYear() - birth.year - (had ? 0 : 1) < 18) return 'Traveler must be at least 18 years old.';
    return textWith(passport, 'startswith').startsWith('US') ? null : 'Passport must be issued by the United States.';
  }
}

/** Whole rates are ints in the table, the others floats. */
const rateOf = (rate: number): PythonValue => rate;

/** Null for a text that is no date; what is no text is an error. */
function dateOf(value: PythonValue): CalendarDate | null {
  try {
    return parseDate(value);
  } catch (failure) {
    if (failure instanceof PythonError && typeof value === 'string') return null;
    throw failure;
  }
}
