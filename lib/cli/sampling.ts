// Options that say how answers are sampled, before what is configured.
import type { SamplingWishes } from '../evaluation/sampling.ts';
import { nonNegative, positive, wholeNumber } from './options.ts';

export interface SamplingArguments {
  temperature?: string;
  'top-k'?: string;
  'top-p'?: string;
  'min-p'?: string;
  'repetition-penalty'?: string;
}

/** `otherwise`: what holds where an option is not given. */
export function samplingOptions(otherwise: string) {
  const option = (off: string) =>
    ({ type: 'string', requiresArg: true, describe: `${off} (default: ${otherwise})` }) as const;
  return {
    temperature: option('0: greedy'),
    'top-k': option('0: off'),
    'top-p': option('1: off'),
    'min-p': option('0: off'),
    'repetition-penalty': option('1: off'),
  };
}

export function samplingWishes(args: SamplingArguments): SamplingWishes {
  const { temperature, 'top-k': topK, 'top-p': topP, 'min-p': minP, 'repetition-penalty': repetitionPenalty } = args;
  return {
    ...(temperature !== undefined && { temperature: nonNegative('temperature', temperature) }),
    ...(topK !== undefined && { topK: wholeNumber('top-k', topK) }),
    ...(topP !== undefined && { topP: positive('top-p', topP, 1) }),
    ...(minP !== undefined && { minP: nonNegative('min-p', minP, 1) }),
    ...(repetitionPenalty !== undefined && { repetitionPenalty: positive('repetition-penalty', repetitionPenalty) }),
  };
}
