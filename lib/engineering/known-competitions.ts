// The competitions of MLE-bench that the paper trains and tests on: what their files do not say by themselves.
import type { Scoring } from './answers.ts';
import type { Range } from './reward.ts';

export interface KnownCompetition extends Scoring {
  readonly range: Range;
  /** Rows of the answers with this in a target are not scored. */
  readonly unscored?: string;
}

const AUC = { metric: 'auc', range: { worst: 0, best: 1 } } as const;

export const KNOWN_COMPETITIONS: Readonly<Record<string, KnownCompetition>> = {
  'detecting-insults-in-social-commentary': { ...AUC, id: 'Comment', targets: ['Insult'] },
  'random-acts-of-pizza': { ...AUC, id: 'request_id', targets: ['requester_received_pizza'] },
  'aerial-cactus-identification': { ...AUC, id: 'id', targets: ['has_cactus'] },
  'jigsaw-toxic-comment-classification-challenge': {
    ...{ ...AUC, id: 'id', unscored: '-1' },
    targets: ['toxic', 'severe_toxic', 'obscene', 'threat', 'insult', 'identity_hate'],
  },
  'spooky-author-identification': {
    ...{ metric: 'multiclass_log_loss', range: { worst: 1.5, best: 0 } },
    ...{ id: 'id', targets: ['EAP', 'HPL', 'MWS'] },
  },
  'nomad2018-predict-transparent-conductors': {
    ...{ metric: 'rmsle', range: { worst: 1, best: 0 } },
    ...{ id: 'id', targets: ['formation_energy_ev_natom', 'bandgap_energy_ev'] },
  },
};
