// The form of Llama 3.1 and 3.2: an answer that is a JSON object is a call, several stand behind one another; any other answer ends
// the request.
import { type CallFormat, callsReply, ENDINGS, endingIn, FINISHED, type Wanted } from './format.ts';
import { leadingObjects, readJsonCall, writeJsonCall } from './json-call.ts';

/** A special token in these models, which decoding leaves out; others spell it. */
const PREFIX = '<|python_tag|>';

export const llama: CallFormat = {
  inTemplate: true,
  instructions: (functions: string) =>
    `You work on requests with these functions, one per line:\n${functions}\n\n` +
    'To call a function, answer with a JSON object and nothing else: {"name": "the function", "parameters": {"parameter": "value"}}. ' +
    `Several calls are separated by semicolons. ${ENDINGS}`,
  besideTemplate: ENDINGS,
  stops: [],
  resultRole: 'ipython',
  write: (calls) => (calls.length === 0 ? FINISHED : calls.map((call) => writeJsonCall(call, 'parameters')).join('; ')),
  results: (results) => results.join('\n'),

  read(answer) {
    const text = answer.trimStart().replace(PREFIX, '').trimStart();
    if (!text.startsWith('{')) return endingIn(text)?.reply ?? { kind: 'finished' };
    const { objects, rest } = leadingObjects(text);
    const calls: Wanted[] = objects.map(readJsonCall);
    if (rest.startsWith('{')) calls.push({ problem: 'a JSON object that is never closed' });
    return callsReply(calls);
  },
};
