// Errands with support tickets.
import type { Random } from '../../rng.ts';
import { call, documents, type Errand, type Family, say, type Scene } from './family.ts';

const TITLES = [
  'Printer on fire',
  'Login fails',
  'Screen is dark',
  'Slow network',
  'Mail is lost',
  'Door does not open',
];
const DESCRIPTIONS = [
  'It began this morning.',
  'Nobody can work.',
  'Only on the second floor.',
  'Since the last update.',
];
const RESOLUTIONS = ['Restarted it', 'Replaced the cable', 'Changed the password', 'Called the vendor'];

/** The user is logged in, and all tickets are the user's. */
class Tickets implements Scene {
  readonly config: Scene['config'];
  #next: number;
  readonly #open: number[];

  constructor(random: Random) {
    const first = 100 + random.below(800);
    const count = 2 + random.below(3);
    this.#open = Array.from({ length: count }, (_, i) => first + i);
    this.#next = first + count;
    this.config = {
      ticket_queue: this.#open.map((id) => ({
        ...{ id, title: random.pick(TITLES), description: random.pick(DESCRIPTIONS), status: 'Open' },
        ...{ priority: 1 + random.below(5), created_by: 'sam' },
      })),
      ...{ ticket_counter: this.#next, current_user: 'sam' },
    };
  }

  errand(random: Random): Errand | null {
    const id = this.#open.length === 0 ? null : random.pick(this.#open);
    const priority = 1 + random.below(5);
    switch (random.below(6)) {
      case 0:
      case 1:
        return this.#create(random, priority);
      case 2: {
        if (id === null) return null;
        this.#done(id);
        const resolution = random.pick(RESOLUTIONS);
        const request = say(
          random,
          `Resolve ticket ${id} with '${resolution}'.`,
          `Ticket ${id} is settled, the resolution is '${resolution}'.`,
        );
        return { request, calls: [call('resolve_ticket', { ticket_id: id, resolution })] };
      }
      case 3: {
        if (id === null) return null;
        this.#done(id);
        const request = say(random, `Close ticket ${id}.`, `Ticket ${id} can be closed.`);
        return { request, calls: [call('close_ticket', { ticket_id: id })] };
      }
      case 4: {
        if (id === null) return null;
        const request = say(
          random,
          `Set the priority of ticket ${id} to ${priority}.`,
          `Ticket ${id} should have priority ${priority}.`,
        );
        return { request, calls: [call('edit_ticket', { ticket_id: id, updates: { priority } })] };
      }
      default:
        if (id === null) return null;
        return { request: `Show me ticket ${id}.`, calls: [call('get_ticket', { ticket_id: id })] };
    }
  }

  #done(id: number): void {
    this.#open.splice(this.#open.indexOf(id), 1);
  }

  #create(random: Random, priority: number): Errand {
    this.#open.push(this.#next++);
    const [title, description] = [random.pick(TITLES), random.pick(DESCRIPTIONS)];
    if (random.chance(0.5)) {
      const request = say(
        random,
        `Open a ticket '${title}' with priority ${priority}.`,
        `New ticket: '${title}', priority ${priority}.`,
      );
      return { request, calls: [call('create_ticket', { title, priority })] };
    }
    const request = `Open a ticket '${title}', described as '${description}', with priority ${priority}.`;
    return { request, calls: [call('create_ticket', { title, description, priority })] };
  }
}

export const ticket: Family = {
  className: 'TicketAPI',
  scene: (random) => new Tickets(random),
  documents: documents(`
    create_ticket(title: str, description?: str, priority?: int): Open a ticket; priorities go from 1 to 5, the highest.
    get_ticket(ticket_id: int): A ticket by its id.
    close_ticket(ticket_id: int): Close a ticket.
    resolve_ticket(ticket_id: int, resolution: str): Mark a ticket as resolved, and say how.
    edit_ticket(ticket_id: int, updates: dict): Change title, description, status or priority of a ticket.
    ticket_login(username: str, password: str): Log in.
    ticket_get_login_status(): Whether somebody is logged in.
    logout(): Log out.
    get_user_tickets(status?: str): The user's tickets, all or those of a status.
  `),
};
