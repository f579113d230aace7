// MessageAPI of BFCL: messages between the users of a workspace.
import { contains, plus, textWith } from '../python/operations.ts';
import { str } from '../python/print.ts';
import { PythonRandom } from '../python/random.ts';
import { dict, isDict, type PythonDict, type PythonValue, pythonEqual, truthy, typeName } from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenDict, givenList, givenRandom, type List } from './base.ts';

const USERS = { Alice: 'USR001', Bob: 'USR002', Catherine: 'USR003', Daniel: 'USR004' };
const INBOX = [
  { USR002: 'My name is Alice. I want to connect.' },
  { USR003: 'Could you upload the file?' },
  { USR004: 'Could you upload the file?' },
];
const SEED = 200191;

export class MessageApi extends BaseSimulator {
  #random = new PythonRandom(SEED);
  #ids: List = [];
  #userCount: PythonValue = null;
  #users: PythonDict = new Map();
  #inbox: List = [];
  #messageCount: PythonValue = null;
  #user: PythonValue = null;

  constructor(clock: Clock) {
    super(clock);
    this.define('list_users()', () => dict({ user_list: [...this.#users.keys()] }));
    this.define('get_user_id(user)', (user) => this.#userId(user!));
    this.define('message_login(user_id)', (id) => this.#logIn(id!));
    this.define('message_get_login_status()', () => dict({ login_status: truthy(this.#user) }));
    this.#defineForUsers('send_message(receiver_id, message)', (receiver, message) => this.#send(receiver!, message!));
    this.#defineForUsers('delete_message(receiver_id)', (receiver) => this.#delete(receiver!));
    this.#defineForUsers('view_messages_sent()', () => this.#sent());
    this.define('add_contact(user_name)', (name) => this.#addContact(name!));
    this.#defineForUsers('search_messages(keyword)', (keyword) => this.#search(keyword!));
    this.#defineForUsers('get_message_stats()', () => this.#statistics());
  }

  /** A method that wants somebody to be logged in. */
  #defineForUsers(signature: string, run: (...values: PythonValue[]) => PythonValue): void {
    this.define(signature, (...values) =>
      truthy(this.#user) ? run(...values) : error('No user is currently logged in.'),
    );
  }

  load(config: PythonDict): void {
    this.#random = givenRandom(config, SEED);
    this.#ids = givenList(config, 'generated_ids', []);
    this.#userCount = given(config, 'user_count', 4);
    this.#users = givenDict(config, 'user_map', dict(USERS));
    this.#inbox = givenList(config, 'inbox', INBOX.map(dict));
    this.#messageCount = given(config, 'message_count', 3);
    this.#user = given(config, 'current_user', null);
  }

  state(): PythonDict {
    return dict({
      generated_ids: this.#ids,
      user_count: this.#userCount,
      user_map: this.#users,
      inbox: this.#inbox,
      message_count: this.#messageCount,
      current_user: this.#user,
    });
  }

  #isUser(id: PythonValue): boolean {
    return [...this.#users.values()].some((known) => pythonEqual(known, id));
  }

  #userId(user: PythonValue): PythonValue {
    if (!contains(this.#users, user)) return error(`User '${str(user)}' not found in the workspace.`);
    return dict({ user_id: this.#users.get(user as string)! });
  }

  #logIn(id: PythonValue): PythonValue {
    if (!this.#isUser(id)) return dict({ login_status: false, message: `User ID '${str(id)}' not found.` });
    this.#user = id;
    return dict({ login_status: true, message: `User '${str(id)}' logged in successfully.` });
  }

  #send(receiver: PythonValue, message: PythonValue): PythonValue {
    if (!this.#isUser(receiver)) return error(`Receiver ID '${str(receiver)}' not found.`);
    let id = this.#random.integer(10000, 99999);
    while (this.#ids.includes(id)) id = this.#random.integer(10000, 99999);
    this.#ids.push(id);
    this.#inbox.push(new Map([[receiver as string, message]]));
    this.#messageCount = plus(this.#messageCount, 1);
    return dict({
      sent_status: true,
      message_id: dict({ new_id: id }),
      message: `Message sent to '${str(receiver)}' successfully.`,
    });
  }

  #delete(receiver: PythonValue): PythonValue {
    const last = this.#inbox.findLast((message) => pythonEqual(firstItem(message)[0], receiver));
    if (last === undefined) return error(`Receiver ID ${str(receiver)} not found.`);
    // The reference finds the latest message, and then removes the first one that equals it.
    const index = this.#inbox.findIndex((message) => pythonEqual(message, last));
    this.#inbox.splice(index, 1);
    return dict({
      deleted_status: true,
      receiver_id: firstItem(last)[0],
      message: `Receiver ${str(receiver)}'s latest message deleted successfully.`,
    });
  }

  #sent(): PythonValue {
    const messages = new Map<string | number, List>();
    for (const message of this.#inbox) {
      const [receiver, content] = firstItem(message);
      messages.set(receiver, [...(messages.get(receiver) ?? []), content]);
    }
    return dict({ messages });
  }

  #addContact(name: PythonValue): PythonValue {
    if (contains(this.#users, name)) return error(`User name '${str(name)}' already exists.`);
    this.#userCount = plus(this.#userCount, 1);
    const id = `USR${str(this.#userCount).padStart(3, '0')}`;
    if (this.#isUser(id)) return error(`User ID '${id}' already exists.`);
    this.#users.set(name as string, id);
    return dict({ added_status: true, user_id: id, message: `Contact '${str(name)}' added successfully.` });
  }

  #search(keyword: PythonValue): PythonValue {
    const wanted = textWith(keyword, 'lower').toLowerCase();
    const results = this.#inbox.flatMap((item) => {
      const [receiver, message] = firstItem(item);
      const found = textWith(message, 'lower').toLowerCase().includes(wanted);
      return found ? [dict({ receiver_id: receiver, message })] : [];
    });
    return dict({ results });
  }

  #statistics(): PythonValue {
    const contacts = new Set(this.#inbox.map((item) => firstItem(item)[0]));
    return dict({ stats: dict({ received_count: this.#inbox.length, total_contacts: contacts.size }) });
  }
}

/** Receiver and message: the reference looks at the first key only. */
function firstItem(message: PythonValue): [string | number, PythonValue] {
  if (!isDict(message)) throw new PythonError(`'${typeName(message)}' object has no attribute 'items'`);
  const [first] = message;
  if (first === undefined) throw new PythonError('list index out of range');
  return first;
}
