// An episode of tool use, from what the model has said: what was asked, called and returned, and where it stands now.
import { shortened } from '../text/shortened.ts';
import type { CallFormat, Reply } from './formats/format.ts';
import { ToolEpisode } from './bfcl/episode.ts';
import type { ToolTask } from './bfcl/tasks.ts';
import type { Call } from './python/literal.ts';
import type { Clock } from './simulator.ts';

/** One answer of the model and what came of it. */
export interface Exchange {
  readonly answer: string;
  readonly reply: Reply;
  /** Which request of the user it is an answer to. */
  readonly request: number;
  /** What the model is told: of every call, or what is wrong with the answer. */
  readonly results: readonly string[];
}

export interface Conversation {
  readonly exchanges: readonly Exchange[];
  /** The request that is to be answered next; the number of requests where all are done. */
  readonly request: number;
  /** The model said that it cannot be done. */
  readonly givenUp: boolean;
  /** The calls that were run, by request. */
  readonly calls: readonly (readonly Call[])[];
}

/** Longer results are cut, in characters. */
const LONGEST_RESULT = 4000;

/** Runs the answers of a model on simulators of their own. `requests`: how many of the task's requests there are. */
export function converse(
  task: ToolTask,
  requests: number,
  answers: readonly string[],
  format: CallFormat,
  clock: Clock,
): Conversation {
  const episode = new ToolEpisode(task.config, task.classes, clock);
  const exchanges: Exchange[] = [];
  const calls = Array.from({ length: requests }, (): Call[] => []);
  let [request, givenUp] = [0, false];
  for (const answer of answers) {
    if (request >= requests || givenUp) break;
    const reply = format.read(answer);
    exchanges.push({ answer, reply, request, results: resultsOf(reply, episode, calls[request]!) });
    if (reply.kind === 'finished') request++;
    givenUp = reply.kind === 'given up';
  }
  return { exchanges, request, givenUp, calls };
}

function resultsOf(reply: Reply, episode: ToolEpisode, made: Call[]): string[] {
  if (reply.kind === 'none') return [`Error: ${reply.problem}`];
  if (reply.kind !== 'calls') return [];
  return reply.calls.map((wanted) => {
    if ('problem' in wanted) return `Error: ${wanted.problem}`;
    made.push(wanted.call);
    return shortened(episode.run(wanted.call), LONGEST_RESULT);
  });
}
