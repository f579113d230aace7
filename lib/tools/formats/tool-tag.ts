// The form of arXiv 2509.04575: one call as JSON between <tool> and </tool>, or one of two words. Sampling stops there.
import { type CallFormat, ENDINGS, endingIn, FINISHED, GIVEN_UP } from './format.ts';
import { readJsonCall, writeJsonCall } from './json-call.ts';

const [OPEN, CLOSE] = ['<tool>', '</tool>'];
const HOW =
  `Call one function at a time: answer ${OPEN}{"name": "the function", "arguments": {"argument": "value"}}${CLOSE} and wait for its ` +
  `result. ${ENDINGS}`;

export const toolTag: CallFormat = {
  inTemplate: false,
  instructions: (functions: string) =>
    `You work on requests with these functions, one per line:\n${functions}\n\n${HOW}`,
  besideTemplate: HOW,
  stops: [CLOSE, FINISHED, GIVEN_UP],
  resultRole: 'tool',
  write: (calls) => calls.map((call) => `${OPEN}${writeJsonCall(call)}${CLOSE}`).join('\n'),
  results: (results) => results.map((result) => `Result: ${result}`).join('\n'),

  read(answer) {
    const close = answer.indexOf(CLOSE);
    const ending = endingIn(answer);
    if (close < 0) {
      return (
        ending?.reply ?? {
          kind: 'none',
          problem: `an answer ends with a call in ${OPEN}${CLOSE}, ${FINISHED} or ${GIVEN_UP}`,
        }
      );
    }
    const open = answer.lastIndexOf(OPEN, close);
    if (ending !== null && ending.at < (open < 0 ? close : open)) return ending.reply;
    if (open < 0) return { kind: 'none', problem: `there is no ${OPEN} before ${CLOSE}` };
    return { kind: 'calls', calls: [readJsonCall(answer.slice(open + OPEN.length, close))] };
  },
};
