// Reading JSON that somebody else wrote: every complaint names the file and the path inside it.
import { UserError } from '../errors.ts';

type Json = Readonly<Record<string, unknown>>;

/** A JSON object whose members are taken with their types checked. An absent member and null are the same. */
export class Fields {
  /** For messages, as in `DIR/tokenizer.json: model`. */
  readonly where: string;
  private readonly members: Json;

  /** Throws a `UserError` unless `value` is a JSON object. */
  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new UserError(`${where} must be a JSON object, not ${kind(value)}`);
    }
    this.where = where;
    this.members = value as Json;
  }

  at(key: string): string {
    return this.where.includes(': ') ? `${this.where}.${key}` : `${this.where}: ${key}`;
  }

  has(key: string): boolean {
    return this.get(key) !== null;
  }

  keys(): string[] {
    return Object.keys(this.members);
  }

  all(): Json {
    return this.members;
  }

  get(key: string): unknown {
    return Object.hasOwn(this.members, key) ? (this.members[key] ?? null) : null;
  }

  string(key: string, fallback?: string): string {
    return this.member(key, 'text', fallback, (value) => typeof value === 'string') as string;
  }

  boolean(key: string, fallback?: boolean): boolean {
    return this.member(key, 'true or false', fallback, (value) => typeof value === 'boolean') as boolean;
  }

  /** A whole number from 0 to `largest`. */
  count(key: string, largest: number, fallback?: number): number {
    const fits = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= largest;
    return this.member(key, `a whole number from 0 to ${largest}`, fallback, fits) as number;
  }

  choice<Choice extends string>(key: string, choices: readonly Choice[], fallback?: Choice): Choice {
    const expected = choices.map((choice) => `"${choice}"`).join(', ');
    return this.member(key, `one of ${expected}`, fallback, (value) => choices.includes(value as Choice)) as Choice;
  }

  /** Null where the member is absent. */
  object(key: string): Fields | null {
    return this.has(key) ? new Fields(this.get(key), this.at(key)) : null;
  }

  list(key: string): unknown[] {
    return this.member(key, 'a list', [], Array.isArray) as unknown[];
  }

  objects(key: string): Fields[] {
    return this.list(key).map((value, i) => new Fields(value, `${this.at(key)}[${i}]`));
  }

  /** An error about one member. */
  error(key: string, message: string): UserError {
    return new UserError(`${this.at(key)} ${message}`);
  }

  private member(key: string, expected: string, fallback: unknown, fits: (value: unknown) => boolean): unknown {
    const value = this.get(key);
    if (value === null && fallback !== undefined) return fallback;
    if (!fits(value)) throw this.error(key, `must be ${expected}, not ${kind(value)}`);
    return value;
  }
}

/** What a JSON value is, in words. */
export function kind(value: unknown): string {
  if (value === null || value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return JSON.stringify(value)?.slice(0, 80) ?? typeof value;
}
