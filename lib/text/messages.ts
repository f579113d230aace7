// What goes into a chat template.
import { suggestion, UserError } from '../errors.ts';
import { kind } from './fields.ts';

/**
 * One message, in the form of transformers and the OpenAI API. Templates may read other members; they get all of them.
 * Numbers in tool arguments print as Python prints them if they come from `parseJson`.
 */
export interface Message {
  readonly role: string;
  readonly content?: string | null | readonly unknown[];
  readonly tool_calls?: readonly unknown[];
  readonly [member: string]: unknown;
}

/** Anything else is an error unless asked for: many templates leave messages of roles that they do not know out. */
export const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'ipython', 'function'] as const;

/** Throws a `UserError` that says which message is wrong and why. */
export function checkMessages(messages: unknown, anyRole: boolean): asserts messages is readonly Message[] {
  if (!Array.isArray(messages)) throw new UserError(`messages must be a list, not ${kind(messages)}`);
  for (const [i, message] of messages.entries()) {
    const where = `messages[${i}]`;
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      throw new UserError(`${where} must be an object with "role" and "content", not ${kind(message)}`);
    }
    const { role, content, tool_calls: calls } = message as Record<string, unknown>;
    if (typeof role !== 'string') throw new UserError(`${where}.role must be text, not ${kind(role)}`);
    if (!anyRole && !(ROLES as readonly string[]).includes(role)) {
      const known = ROLES.join(', ');
      throw new UserError(
        `${where} has the unknown role "${role}"${suggestion(role, ROLES)}; known are ${known}, others with anyRole`,
      );
    }
    if (content !== undefined && content !== null && typeof content !== 'string' && !Array.isArray(content)) {
      throw new UserError(`${where}.content must be text or a list of parts, not ${kind(content)}`);
    }
    if (calls !== undefined && calls !== null && !Array.isArray(calls)) {
      throw new UserError(`${where}.tool_calls must be a list, not ${kind(calls)}`);
    }
  }
}
