// Errands with messages to colleagues.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const PEOPLE = ['Ada', 'Boris', 'Chen', 'Dora', 'Emil', 'Farah', 'Gita', 'Hugo', 'Ines', 'Jonas'];
const TEXTS = [
  'The meeting is moved to Friday',
  'Please send me the numbers',
  'The draft is ready',
  'Lunch at noon?',
  'The server is back',
  'I am on my way',
  'Happy birthday',
  'The parcel has come',
];

/** The user is logged in; ids are USR001, USR002, and so on. */
class Messages implements Scene {
  readonly config: Scene['config'];
  readonly #ids = new Map<string, string>();
  readonly #sentTo: string[] = [];

  constructor(random: Random) {
    const people = random.shuffled(PEOPLE).slice(0, 4);
    for (const [i, name] of people.entries()) this.#ids.set(name, `USR00${i + 1}`);
    this.config = {
      user_map: Object.fromEntries(this.#ids),
      user_count: people.length,
      inbox: [],
      message_count: 0,
      current_user: 'USR001',
      random_seed: random.below(1_000_000),
    };
  }

  errand(random: Random): Errand | null {
    const [, ...others] = [...this.#ids.keys()];
    const name = random.pick(others);
    const id = this.#ids.get(name)!;
    switch (random.below(6)) {
      case 0:
        return this.#add(random);
      case 1: {
        if (!this.#sentTo.includes(id)) return null;
        this.#sentTo.splice(this.#sentTo.indexOf(id), 1);
        const request = `Take back my latest message to ${id}.`;
        return { request, calls: [call('delete_message', { receiver_id: id })] };
      }
      case 2:
        if (this.#sentTo.length === 0) return null;
        return { request: 'Which messages have I sent?', calls: [call('view_messages_sent')] };
      case 3:
        return { request: `What is the user id of ${name}?`, calls: [call('get_user_id', { user: name })] };
      default: {
        this.#sentTo.push(id);
        const message = random.pick(TEXTS);
        const known = random.chance(0.4);
        const request = known
          ? say(random, `Send '${message}' to the user ${id}.`, `Write to ${id}: '${message}'.`)
          : say(
              random,
              `Look up the id of ${name}, and send '${message}'.`,
              `Let ${name} know: '${message}'. Look the id up first.`,
            );
        const send = call('send_message', { receiver_id: id, message });
        return { request, calls: known ? [send] : [call('get_user_id', { user: name }), send] };
      }
    }
  }

  #add(random: Random): Errand | null {
    const name = random.pick(PEOPLE);
    if (this.#ids.has(name)) return null;
    this.#ids.set(name, `USR${String(this.#ids.size + 1).padStart(3, '0')}`);
    const request = say(random, `Add ${name} as a contact.`, `${name} is new here: make a contact of that name.`);
    return { request, calls: [call('add_contact', { user_name: name })] };
  }
}

export const message: Family = {
  className: 'MessageAPI',
  scene: (random) => new Messages(random),
  documents: documents(`
    list_users(): The names of all users.
    get_user_id(user: str): The id of a user by name.
    message_login(user_id: str): Log in as a user.
    message_get_login_status(): Whether somebody is logged in.
    send_message(receiver_id: str, message: str): Send a message to a user, by id.
    delete_message(receiver_id: str): Delete the latest message to a user, by id.
    view_messages_sent(): The messages that were sent, by receiver.
    add_contact(user_name: str): Add a contact by name; the id is made up for it.
    search_messages(keyword: str): Messages that contain a word.
    get_message_stats(): How many messages there are, and with how many contacts.
  `),
};
