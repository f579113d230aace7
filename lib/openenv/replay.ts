// An episode up to where an answer is wanted. Servers keep no copies of their episodes, so it is played again from its seed; what is
// shown on the way must be what was shown before, or the answer would be judged in another episode than the one it was given in.
import { ClientError, type Session } from './client.ts';
import type { Observed } from './protocol.ts';
import { type Action, actionOf, textOf, type Translation } from './translate.ts';

/** A task: what reset gets. */
export interface Start {
  readonly reset: Readonly<Record<string, unknown>>;
  /** The first observation, as the prompt has it. */
  readonly shown: string;
}

/** An answer that stands, and the feedback on it. */
export interface Past {
  readonly text: string;
  readonly feedback: string;
}

/** What came of an answer. `refused`: the server takes no such action, and says why. */
export type Outcome =
  | { readonly kind: 'observed'; readonly observed: Observed; readonly feedback: string }
  | { readonly kind: 'refused'; readonly feedback: string };

/** The server did not repeat itself. */
export class ReplayError extends Error {}

/** In front of the feedback on the last answer of an episode. */
export const OVER = '[the episode is over]';

export interface ReplayOptions {
  readonly translation: Translation;
  /** Feedback as it is after a model's tokens have stored it. */
  stored(feedback: string): string;
}

/** Plays the answers again and then the new one. Throws `ReplayError`, `ClientError`, and `UsageError` for wrong settings. */
export async function playOn(
  session: Session,
  { reset, shown }: Start,
  history: readonly Past[],
  answer: string,
  { translation, stored }: ReplayOptions,
): Promise<Outcome> {
  const first = textOf(await session.reset(reset), translation);
  if (first !== shown) throw new ReplayError(`reset with ${JSON.stringify(reset)} showed another task than before`);
  for (const [turn, past] of history.entries()) {
    const { feedback } = await play(session, past.text, translation);
    if (stored(feedback) !== past.feedback) {
      throw new ReplayError(
        `the actions of an earlier episode had another result in step ${turn + 1} than when they were first taken`,
      );
    }
  }
  return play(session, answer, translation);
}

async function play(session: Session, answer: string, translation: Translation): Promise<Outcome> {
  const action: Action = actionOf(answer, translation);
  if ('problem' in action) return { kind: 'refused', feedback: action.problem };
  try {
    const observed = await session.step(action.action);
    return { kind: 'observed', observed, feedback: feedbackOf(observed, translation) };
  } catch (error) {
    if (!(error instanceof ClientError) || error.code !== 'VALIDATION_ERROR') throw error;
    return { kind: 'refused', feedback: `Error: ${error.message}` };
  }
}

/** The text of an observation. None but the last of an episode begins with the mark. */
function feedbackOf(observed: Observed, translation: Translation): string {
  const text = textOf(observed, translation);
  if (observed.done) return text === '' ? OVER : `${OVER}\n${text}`;
  return isLast(text) ? ` ${text}` : text;
}

/** Whether an episode was over with this feedback. */
export const isLast = (feedback: string): boolean => feedback.startsWith(OVER);
