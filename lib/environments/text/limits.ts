// How long texts of an environment in words may be.
import { z } from 'zod';

/** In tokens of the model. */
export interface TextLimits {
  readonly promptTokens: number;
  readonly answerTokens: number;
  /** What is beyond is cut off. Absent: no limit. */
  readonly feedbackTokens?: number;
}

const longest = (what: string, otherwise: number) =>
  z.int().min(1).default(otherwise).describe(`Longest ${what}, in tokens of the model`);

/** The settings for them, with these defaults. */
export const promptAndAnswer = (promptTokens: number, answerTokens: number) => ({
  promptTokens: longest('prompt', promptTokens),
  answerTokens: longest('answer', answerTokens),
});
/** The same for feedback. */
export const feedbackLimit = (feedbackTokens: number) => ({
  feedbackTokens: longest('feedback on an answer', feedbackTokens),
});
