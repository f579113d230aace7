// The golden manifest's names for a policy loss -> the settings of the one native loss.
import type { LossSettings } from '../../lib/native/addon.ts';
import { LOSS } from './settings.ts';

export interface PolicySettings {
  readonly loss_type: string;
  readonly level: 'token' | 'sequence';
  readonly eps_low: number;
  readonly eps_high: number;
  readonly beta: number;
  readonly delta: number | null;
  readonly kl_corrected: boolean;
  /** Mode, smallest and largest weight. */
  readonly tis: readonly [string, number | null, number | null] | null;
  readonly temperature: number;
  readonly entropy_coef: number;
  readonly top_entropy: number;
  readonly normaliser: number | null;
}

/** What a loss type means: kind of token loss and how token losses are added up. */
function kind(s: PolicySettings): Partial<LossSettings> {
  switch (s.loss_type) {
    case 'grpo':
      return { loss: 'clip', aggregation: 'sequence_mean' };
    case 'dapo':
      return { loss: 'clip', aggregation: 'token_mean' };
    case 'dr_grpo':
      return { loss: 'clip', aggregation: 'constant' };
    case 'rloo':
      return { loss: 'clip', aggregation: 'sequence_mean', ratio: 'sequence_sum' };
    case 'cispo':
      return { loss: 'cispo', aggregation: 'token_mean', cispoLow: 0, cispoHigh: s.eps_high };
    case 'cispo_two_sided':
      return { loss: 'cispo', aggregation: 'token_mean', cispoLow: 1 - s.eps_low, cispoHigh: 1 + s.eps_high };
    case 'sapo':
      return { loss: 'sapo', aggregation: 'sequence_mean' };
    default:
      throw new Error(`unknown loss type ${s.loss_type}`);
  }
}

function importance(tis: PolicySettings['tis']): Partial<LossSettings> {
  if (tis === null) return {};
  const [mode, low, high] = tis;
  const [level, action] = mode.split('_') as ['token' | 'sequence', 'truncate' | 'mask'];
  return {
    importance: level,
    importanceMode: action,
    importanceMin: low ?? 0,
    importanceMax: high ?? Number.MAX_VALUE,
  };
}

export function lossSettings(s: PolicySettings): LossSettings {
  return {
    ...LOSS,
    ratio: s.level === 'sequence' ? 'sequence_mean' : 'token',
    clipLow: s.eps_low,
    clipHigh: s.eps_high,
    delta: s.delta ?? 0,
    normaliser: s.normaliser ?? 1,
    // RLOO takes the KL off the reward, so it is in the advantages already.
    klWeight: s.loss_type === 'rloo' ? 0 : s.beta,
    klCorrected: s.kl_corrected,
    entropyWeight: s.entropy_coef,
    topEntropy: s.top_entropy,
    temperature: s.temperature,
    ...kind(s),
    ...importance(s.tis),
  };
}
