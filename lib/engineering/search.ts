// Greedy search: the best program so far is improved, a program that fails is repaired. A tree whose nodes are programs.
import type { Competition } from './competition.ts';
import { feedback, type FeedbackOptions } from './feedback.ts';
import { type Candidate, noProgram, type Trial, type TrialOptions, tryProgram } from './trial.ts';

export type StepKind = 'draft' | 'improve' | 'debug';

export interface SearchNode {
  readonly index: number;
  readonly kind: StepKind;
  /** The node it was made from; null for drafts. */
  readonly parent: SearchNode | null;
  /** Steps of repair since the last program that worked, or the draft. */
  readonly debugDepth: number;
  readonly candidate: Candidate | null;
  readonly trial: Trial;
  readonly feedback: string;
}

/** What a policy is asked for. */
export interface SearchRequest {
  readonly kind: StepKind;
  readonly competition: Competition;
  /** The program to improve or repair, with its feedback; null for drafts. */
  readonly previous: SearchNode | null;
  readonly best: SearchNode | null;
  readonly step: number;
}

/** Writes the next program, or says why there is none. */
export type Policy = (request: SearchRequest) => Promise<Candidate | { readonly problem: string }>;

export interface SearchSettings extends TrialOptions {
  /** Programs to try in all. */
  readonly steps: number;
  /** Programs from nothing before the first is improved. Default 1. */
  readonly drafts?: number;
  /** Repairs in a row before a failing program is given up. Default 3. */
  readonly debugDepth?: number;
  readonly feedback?: FeedbackOptions;
  /** Is called after every step. */
  readonly onNode?: (node: SearchNode) => void;
}

export interface SearchResult {
  readonly nodes: readonly SearchNode[];
  /** The best by the score that is shown; null where no program worked. */
  readonly best: SearchNode | null;
  /** Normalised score that decides, of the best so far after each step. */
  readonly curve: readonly number[];
}

/** The better of two nodes by the score that is shown; the earlier one where they are equal. */
function better(competition: Competition, best: SearchNode | null, node: SearchNode): SearchNode | null {
  const { grade } = node.trial;
  if (!grade?.valid) return best;
  const standing = best?.trial.grade;
  if (!standing?.valid) return node;
  const wins = competition.better === 'higher' ? grade.shown > standing.shown : grade.shown < standing.shown;
  return wins ? node : best;
}

/** Runs the search. A `SandboxError` ends it: a step that could not be judged must not count. */
export async function greedySearch(
  competition: Competition,
  policy: Policy,
  settings: SearchSettings,
): Promise<SearchResult> {
  const { steps, drafts = 1, debugDepth = 3 } = settings;
  const nodes: SearchNode[] = [];
  const curve: number[] = [];
  let best: SearchNode | null = null;
  for (let step = 0; step < steps; step++) {
    settings.signal?.throwIfAborted();
    const { kind, previous } = choose(nodes, best, drafts, debugDepth);
    const answer = await policy({ kind, competition, previous, best, step });
    const candidate = 'source' in answer ? answer : null;
    const trial = 'source' in answer ? await tryProgram(competition, answer, settings) : noProgram(answer.problem);
    const node: SearchNode = {
      ...{ index: step, kind, parent: previous, candidate, trial },
      debugDepth: kind === 'debug' ? previous!.debugDepth + 1 : 0,
      feedback: feedback(competition, trial, settings.feedback),
    };
    nodes.push(node);
    best = better(competition, best, node);
    curve.push(best?.trial.final ?? 0);
    settings.onNode?.(node);
  }
  return { nodes, best, curve };
}

/** A program that just failed is repaired, unless that was tried too often; else drafts first, then the best. */
function choose(
  nodes: readonly SearchNode[],
  best: SearchNode | null,
  drafts: number,
  debugDepth: number,
): { kind: StepKind; previous: SearchNode | null } {
  const last = nodes.at(-1);
  const failed = last !== undefined && last.trial.problem !== null && last.candidate !== null;
  if (failed && last.debugDepth < debugDepth) return { kind: 'debug', previous: last };
  const drafted = nodes.filter(({ kind }) => kind === 'draft').length;
  if (best === null || drafted < drafts) return { kind: 'draft', previous: null };
  return { kind: 'improve', previous: best };
}
