// What a model is shown of an episode of tool use.
import { selfIterationMessage, type TextAttempt } from '../environments/text/text-environment.ts';
import type { Message } from '../text/messages.ts';
import type { ToolTask } from './bfcl/tasks.ts';
import type { Conversation, Exchange } from './conversation.ts';
import type { CallFormat } from './formats/format.ts';

export interface Shown {
  readonly task: Pick<ToolTask, 'turns'>;
  readonly conversation: Conversation;
  readonly format: CallFormat;
  /** The functions, one per line; null where the chat template lists them, empty where the model knows them. */
  readonly functions: string | null;
  /** The answer that is to be revised. */
  readonly revision: { readonly mode: 'improve' | 'diverge'; readonly previous: TextAttempt } | null;
}

/**
 * The conversation up to the next answer of the model. A revision is asked for in its last message, with the request of the user, the
 * current response and its results; what came before stays as it is.
 */
export function toolMessages({ task, conversation, format, functions, revision }: Shown): Message[] {
  const told = functions === '' ? '' : functions === null ? format.besideTemplate : format.instructions(functions);
  const messages: Message[] = told === '' ? [] : [{ role: 'system', content: told }];
  const { exchanges, request } = conversation;
  for (const [turn, said] of task.turns.slice(0, request + 1).entries()) {
    const here = exchanges.filter((exchange) => exchange.request === turn);
    const wanted = said.map(({ content }) => content).join('\n');
    const asked =
      turn === request && revision !== null ? selfIterationMessage(revision.mode, wanted, revision.previous) : null;
    messages.push({ role: 'user', content: here.length === 0 ? (asked ?? wanted) : wanted });
    for (const [i, exchange] of here.entries()) {
      messages.push({ role: 'assistant', content: exchange.answer });
      messages.push(...after(exchange, i === here.length - 1 ? asked : null, format, functions === null));
    }
  }
  return messages;
}

/**
 * The results of an exchange, and what is asked behind them. Templates that have no role for results may want user and assistant in
 * turn: there both are one message.
 */
function after({ results, reply }: Exchange, asked: string | null, format: CallFormat, inTemplate: boolean): Message[] {
  const request: Message[] = asked === null ? [] : [{ role: 'user', content: asked }];
  if (results.length === 0) return request;
  if (inTemplate && reply.kind === 'calls') {
    return [...results.map((content) => ({ role: format.resultRole, content })), ...request];
  }
  const content = reply.kind === 'calls' ? format.results(results) : results.join('\n');
  return [{ role: 'user', content: asked === null ? content : `${content}\n\n${asked}` }];
}
