// Errands with flights.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const CITIES: Readonly<Record<string, string>> = {
  ...{ 'San Francisco': 'SFO', 'Los Angeles': 'LAX', 'New York': 'JFK', Chicago: 'ORD', Boston: 'BOS' },
  ...{ Rivermist: 'RMS', Stonebrook: 'SBK', Oakendale: 'OKD' },
};
/** Pairs between which there are flights. */
const ROUTES: readonly (readonly [from: string, to: string])[] = [
  ['San Francisco', 'Los Angeles'],
  ['San Francisco', 'New York'],
  ['San Francisco', 'Boston'],
  ['Los Angeles', 'New York'],
  ['Los Angeles', 'Rivermist'],
  ['New York', 'Chicago'],
  ['New York', 'Stonebrook'],
  ['Chicago', 'Boston'],
  ['Boston', 'Oakendale'],
];
const CLASSES = ['economy', 'business', 'first'];
const CURRENCIES = ['EUR', 'GBP', 'JPY', 'CAD', 'AUD'];
const [TOKEN, CARD, BOOKING] = ['tok123', 'card-1', '7654321'];

const two = (n: number): string => String(n).padStart(2, '0');

/** The user is logged in with the token that requests mention, and has a card and a booking. */
class Travel implements Scene {
  readonly config: Scene['config'];
  #booked = true;

  constructor(random: Random) {
    this.config = {
      ...{ access_token: TOKEN, token_type: 'Bearer', token_expires_in: 3600, token_scope: 'read_write' },
      ...{ user_first_name: 'Ann', user_last_name: 'Lee', budget_limit: null, random_seed: random.below(1_000_000) },
      credit_card_list: { [CARD]: { card_type: 'Visa', expiry_date: '12/27', balance: 100_000 } },
      booking_record: {
        [BOOKING]: {
          ...{
            card_id: CARD,
            travel_date: '2024-05-06',
            travel_from: 'SFO',
            travel_to: 'LAX',
            travel_class: 'economy',
          },
          ...{ travel_cost: 200, transaction_id: '12345678' },
        },
      },
    };
  }

  errand(random: Random): Errand | null {
    const [from, to] = random.pick(ROUTES);
    const travelClass = random.pick(CLASSES);
    const date = `2025-${two(1 + random.below(12))}-${two(1 + random.below(28))}`;
    const flight = { travel_from: CITIES[from]!, travel_to: CITIES[to]!, travel_date: date, travel_class: travelClass };
    switch (random.below(7)) {
      case 0:
      case 1: {
        const request =
          `Book a flight from ${CITIES[from]} to ${CITIES[to]} on ${date} in ${travelClass} class, with the card ${CARD}. ` +
          `The access token is ${TOKEN}.`;
        return { request, calls: [call('book_flight', { access_token: TOKEN, card_id: CARD, ...flight })] };
      }
      case 2: {
        const request = `What does a flight from ${from} to ${to} on ${date} in ${travelClass} class cost? Look the airports up first.`;
        const airports = [from, to].map((location) => call('get_nearest_airport_by_city', { location }));
        return { request, calls: [...airports, call('get_flight_cost', flight)] };
      }
      case 3: {
        if (!this.#booked) return null;
        this.#booked = false;
        const request = say(random, `Cancel the booking ${BOOKING}; the access token is ${TOKEN}.`);
        return { request, calls: [call('cancel_booking', { access_token: TOKEN, booking_id: BOOKING })] };
      }
      case 4: {
        const limit = 100 * (10 + random.below(90));
        const request = `Set my budget limit to ${limit} dollars. The access token is ${TOKEN}.`;
        return { request, calls: [call('set_budget_limit', { access_token: TOKEN, budget_limit: limit })] };
      }
      case 5: {
        const [currency, value] = [random.pick(CURRENCIES), 10 * (1 + random.below(99))];
        const request = say(random, `How much is ${value} USD in ${currency}?`, `Convert ${value} USD to ${currency}.`);
        return {
          request,
          calls: [call('compute_exchange_rate', { base_currency: 'USD', target_currency: currency, value })],
        };
      }
      default:
        return {
          request: say(random, `Which airport is nearest to ${from}?`, `What is the airport of ${from}?`),
          calls: [call('get_nearest_airport_by_city', { location: from })],
        };
    }
  }
}

export const travel: Family = {
  className: 'TravelAPI',
  scene: (random) => new Travel(random),
  documents: documents(`
    authenticate_travel(client_id: str, client_secret: str, refresh_token: str, grant_type: str, user_first_name: str, user_last_name: str): Log in; the type of grant is read_write, read or write. Gives the access token.
    travel_get_login_status(): Whether the user is logged in.
    get_budget_fiscal_year(lastModifiedAfter?: str, includeRemoved?: str): The fiscal year of the budget.
    register_credit_card(access_token: str, card_number: str, expiration_date: str, cardholder_name: str, card_verification_number: int): Register a card (expiration MM/YYYY). Gives its id.
    get_credit_card_balance(access_token: str, card_id: str): The balance of a card.
    get_all_credit_cards(): All cards.
    set_budget_limit(access_token: str, budget_limit: float): Set the most that may be spent, in dollars.
    get_flight_cost(travel_from: str, travel_to: str, travel_date: str, travel_class: str): What a flight costs, by airport codes, date (YYYY-MM-DD) and class (economy, business, first).
    book_flight(access_token: str, card_id: str, travel_date: str, travel_from: str, travel_to: str, travel_class: str): Book a flight, by airport codes, and pay with a card.
    retrieve_invoice(access_token: str, booking_id?: str, insurance_id?: str): The invoice of a booking.
    get_booking_history(access_token: str): All bookings.
    cancel_booking(access_token: str, booking_id: str): Cancel a booking; the money comes back.
    list_all_airports(): The codes of all airports.
    get_nearest_airport_by_city(location: str): The code of the airport that is nearest to a city.
    compute_exchange_rate(base_currency: str, target_currency: str, value: float): Convert money between USD and another currency (RMB, EUR, JPY, GBP, CAD, AUD, INR, RUB, BRL, MXN).
    verify_traveler_information(first_name: str, last_name: str, date_of_birth: str, passport_number: str): Whether somebody may travel; the date is YYYY-MM-DD.
    purchase_insurance(access_token: str, insurance_type: str, booking_id: str, insurance_cost: float, card_id: str): Buy an insurance for a booking.
    contact_customer_support(booking_id: str, message: str): Send a message about a booking to the support.
  `),
};
