// BFCL's own form: a list of calls as Python writes them, [f(a=1), g(b='x')]; any other answer ends the request.
import { type Call, parseCalls } from '../python/literal.ts';
import { NotACall } from '../python/not-a-call.ts';
import { writeCall } from '../python/write-call.ts';
import { type CallFormat, callsReply, ENDINGS, endingIn, FINISHED } from './format.ts';

const HOW =
  "To call functions, answer with a list of calls and nothing else, with literal values: [function(argument='value'), other(number=2)]. " +
  ENDINGS;

export const python: CallFormat = {
  inTemplate: false,
  instructions: (functions: string) =>
    `You work on requests with these functions, one per line:\n${functions}\n\n${HOW}`,
  besideTemplate: HOW,
  stops: [],
  resultRole: 'tool',
  write: (calls) => (calls.length === 0 ? FINISHED : `[${calls.map(writeCall).join(', ')}]`),
  results: (results) => results.join('\n'),

  read(answer) {
    const text = answer.trim();
    const ending = endingIn(text);
    if (!text.startsWith('[')) return ending?.reply ?? { kind: 'finished' };
    let calls: Call[];
    try {
      calls = parseCalls(text);
    } catch (error) {
      if (!(error instanceof NotACall)) throw error;
      return { kind: 'calls', calls: [{ problem: `the calls cannot be read: ${error.message}` }] };
    }
    return calls.length === 0 ? { kind: 'finished' } : callsReply(calls.map((call) => ({ call })));
  },
};
