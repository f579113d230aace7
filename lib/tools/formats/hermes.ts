// The form of Hermes and Qwen models: <tool_call> blocks with JSON in them, any number per answer; an answer without one ends the
// request.
import { type CallFormat, callsReply, ENDINGS, endingIn, FINISHED, type Wanted } from './format.ts';
import { readJsonCall, writeJsonCall } from './json-call.ts';

const [OPEN, CLOSE] = ['<tool_call>', '</tool_call>'];

export const hermes: CallFormat = {
  inTemplate: true,
  instructions: (functions: string) =>
    `You work on requests with these functions:\n<tools>\n${functions}\n</tools>\n\nA call is a JSON object within tags:\n` +
    `${OPEN}\n{"name": "the function", "arguments": {"argument": "value"}}\n${CLOSE}\n` +
    `You may write several in one answer. ${ENDINGS}`,
  besideTemplate: ENDINGS,
  stops: [],
  resultRole: 'tool',
  write: (calls) =>
    calls.length === 0 ? FINISHED : calls.map((call) => `${OPEN}\n${writeJsonCall(call)}\n${CLOSE}`).join('\n'),
  results: (results) => results.map((result) => `<tool_response>\n${result}\n</tool_response>`).join('\n'),

  read(answer) {
    const calls: Wanted[] = [];
    let at = answer.indexOf(OPEN);
    const ending = endingIn(answer);
    if (ending !== null && (at < 0 || ending.at < at)) return ending.reply;
    while (at >= 0) {
      const start = at + OPEN.length;
      const close = answer.indexOf(CLOSE, start);
      const next = answer.indexOf(OPEN, start);
      if (close < 0 || (next >= 0 && next < close)) calls.push({ problem: `a ${OPEN} without its ${CLOSE}` });
      else calls.push(readJsonCall(answer.slice(start, close)));
      at = next;
    }
    return calls.length === 0 ? { kind: 'finished' } : callsReply(calls);
  },
};
