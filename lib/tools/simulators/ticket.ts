// TicketAPI of BFCL: support tickets.
import { at, greater, iterate, less, textWith } from '../python/operations.ts';
import { str } from '../python/print.ts';
import {
  add,
  dict,
  isDict,
  type PythonDict,
  type PythonNumber,
  type PythonValue,
  pythonEqual,
  truthy,
  typeName,
} from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenList, type List } from './base.ts';

const FIELDS = new Set(['title', 'description', 'status', 'priority']);

export class TicketApi extends BaseSimulator {
  #queue: List = [];
  #counter: PythonValue = 1;
  #user: PythonValue = null;

  constructor(clock: Clock) {
    super(clock);
    this.define("create_ticket(title, description='', priority=1)", (title, description, priority) =>
      this.#create(title!, description!, priority!),
    );
    this.define('get_ticket(ticket_id)', (id) => this.#find(id!) ?? notFound(id!));
    this.define('close_ticket(ticket_id)', (id) => this.#end(id!, 'Closed', 'closed', null));
    this.define('resolve_ticket(ticket_id, resolution)', (id, resolution) =>
      this.#end(id!, 'Resolved', 'resolved', resolution!),
    );
    this.define('edit_ticket(ticket_id, updates)', (id, updates) => this.#edit(id!, updates!));
    this.define('ticket_login(username, password)', (username, password) => {
      const success = truthy(username!) && truthy(password!);
      if (success) this.#user = username!;
      return dict({ success });
    });
    this.define('ticket_get_login_status()', () => dict({ login_status: truthy(this.#user) }));
    this.define('logout()', () => {
      const success = truthy(this.#user);
      if (success) this.#user = null;
      return dict({ success });
    });
    this.define('get_user_tickets(status=None)', (status) => this.#own(status!));
  }

  load(config: PythonDict): void {
    this.#queue = givenList(config, 'ticket_queue', []);
    this.#counter = given(config, 'ticket_counter', 1);
    this.#user = given(config, 'current_user', null);
  }

  state(): PythonDict {
    return dict({ ticket_queue: this.#queue, ticket_counter: this.#counter, current_user: this.#user });
  }

  #create(title: PythonValue, description: PythonValue, priority: PythonValue): PythonValue {
    if (!truthy(this.#user)) return error('User not authenticated. Please log in to create a ticket.');
    if (less(priority, 1) || greater(priority, 5)) return error('Invalid priority. Priority must be between 1 and 5.');
    const ticket = dict({ id: this.#counter, title, description, status: 'Open', priority, created_by: this.#user });
    this.#queue.push(ticket);
    this.#counter = add(this.#counter as PythonNumber, 1);
    return ticket;
  }

  #find(id: PythonValue): PythonDict | null {
    for (const ticket of this.#queue) if (pythonEqual(at(ticket, 'id'), id)) return ticket as PythonDict;
    return null;
  }

  #end(id: PythonValue, status: string, word: string, resolution: PythonValue): PythonValue {
    const ticket = this.#find(id);
    if (ticket === null || ticket.size === 0) return notFound(id);
    if (at(ticket, 'status') === status) return error(`Ticket with ID ${str(id)} is already ${word}.`);
    ticket.set('status', status);
    if (status === 'Resolved') ticket.set('resolution', resolution);
    return dict({ status: `Ticket ${str(id)} has been ${word} successfully.` });
  }

  #edit(id: PythonValue, updates: PythonValue): PythonValue {
    const ticket = this.#find(id);
    if (ticket === null) return notFound(id);
    if (!isDict(updates)) {
      throw new PythonError(`'${typeName(updates)}' object has no attribute 'keys'`);
    }
    const unknown = iterate(updates).filter((key) => !FIELDS.has(String(key)));
    const odd = unknown.findIndex((key) => typeof key !== 'string');
    if (odd >= 0)
      throw new PythonError(`sequence item ${odd}: expected str instance, ${typeName(unknown[odd]!)} found`);
    if (unknown.length > 0) return error(`Invalid fields for update: ${unknown.join(', ')}`);
    for (const [key, value] of updates) if (value !== null) ticket.set(key, value);
    return dict({ status: `Ticket ${str(id)} has been updated successfully.` });
  }

  #own(status: PythonValue): PythonValue {
    if (!truthy(this.#user)) return [error('User not authenticated. Please log in to view tickets.')];
    const own = this.#queue.filter((ticket) => pythonEqual(at(ticket, 'created_by'), this.#user));
    if (!truthy(status)) return own;
    return own.filter(
      (ticket) => textWith(at(ticket, 'status'), 'lower').toLowerCase() === textWith(status, 'lower').toLowerCase(),
    );
  }
}

const notFound = (id: PythonValue): PythonDict => error(`Ticket with ID ${str(id)} not found.`);
