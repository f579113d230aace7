// TicketAPI of BFCL: support tickets.
import { at, dictWith, greater, less, plus, textWith } from '../python/operations.ts';
import { str } from '../python/print.ts';
import { dict, type PythonDict, type PythonValue, pythonEqual, truthy, typeName } from '../python/value.ts';
import { type Clock, PythonError } from '../simulator.ts';
import { BaseSimulator, error, given, givenList, type List } from './base.ts';

const FIELDS: ReadonlySet<unknown> = new Set(['title', 'description', 'status', 'priority']);

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
    this.define('close_ticket(ticket_id)', (id) => this.#finish(id!, { status: 'Closed' }));
    this.define('resolve_ticket(ticket_id, resolution)', (id, resolution) =>
      this.#finish(id!, { status: 'Resolved', resolution: resolution! }),
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
    this.#counter = plus(this.#counter, 1, '+=');
    return ticket;
  }

  #find(id: PythonValue): PythonDict | null {
    return (this.#queue.find((ticket) => pythonEqual(at(ticket, 'id'), id)) ?? null) as PythonDict | null;
  }

  /** Sets the status and what goes with it, once. */
  #finish(id: PythonValue, end: { readonly status: string; readonly resolution?: PythonValue }): PythonValue {
    const ticket = this.#find(id);
    if (ticket === null) return notFound(id);
    const word = end.status.toLowerCase();
    if (at(ticket, 'status') === end.status) return error(`Ticket with ID ${str(id)} is already ${word}.`);
    for (const [key, value] of Object.entries(end)) ticket.set(key, value);
    return dict({ status: `Ticket ${str(id)} has been ${word} successfully.` });
  }

  #edit(id: PythonValue, given: PythonValue): PythonValue {
    const ticket = this.#find(id);
    if (ticket === null) return notFound(id);
    const updates = dictWith(given, 'keys');
    const unknown = [...updates.keys()].filter((key) => !FIELDS.has(key));
    if (unknown.length > 0) return error(`Invalid fields for update: ${joined(unknown)}`);
    for (const [key, value] of updates) if (value !== null) ticket.set(key, value);
    return dict({ status: `Ticket ${str(id)} has been updated successfully.` });
  }

  #own(status: PythonValue): PythonValue {
    if (!truthy(this.#user)) return [error('User not authenticated. Please log in to view tickets.')];
    const own = this.#queue.filter((ticket) => pythonEqual(at(ticket, 'created_by'), this.#user));
    return truthy(status) ? own.filter((ticket) => lower(at(ticket, 'status')) === lower(status)) : own;
  }
}

const notFound = (id: PythonValue): PythonDict => error(`Ticket with ID ${str(id)} not found.`);

const lower = (x: PythonValue): string => textWith(x, 'lower').toLowerCase();

/** ', '.join(names). The reference joins a set, whose order is not defined. */
function joined(names: readonly PythonValue[]): string {
  const other = names.findIndex((name) => typeof name !== 'string');
  if (other < 0) return names.join(', ');
  throw new PythonError(`sequence item ${other}: expected str instance, ${typeName(names[other]!)} found`);
}
