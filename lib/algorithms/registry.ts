// Every algorithm, by the name it has in a configuration.
import type { Algorithm } from './algorithm.ts';
import { cispo } from './cispo.ts';
import { dapo } from './dapo.ts';
import { drGrpo } from './dr-grpo.ts';
import { grpo } from './grpo.ts';
import { gspo } from './gspo.ts';
import { maxrl } from './maxrl.ts';
import { reinforcePp, reinforcePpBaseline } from './reinforce-pp.ts';
import { reinforce } from './reinforce.ts';
import { rloo } from './rloo.ts';
import { sapo } from './sapo.ts';

export const ALGORITHMS = {
  grpo,
  dr_grpo: drGrpo,
  dapo,
  gspo,
  cispo,
  sapo,
  rloo,
  maxrl,
  reinforce,
  reinforce_pp: reinforcePp,
  reinforce_pp_baseline: reinforcePpBaseline,
} satisfies Record<string, Algorithm>;

export type AlgorithmName = keyof typeof ALGORITHMS;
