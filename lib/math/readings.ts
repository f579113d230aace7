// What a piece of text may mean as an answer.
import { type Candidate, candidates, type Extraction } from './extract.ts';
import { type Budget, LONGEST, TooMuchWork, Unreadable } from './limits.ts';
import { type Node, text } from './node.ts';
import { normalize } from './normalize.ts';
import { parse, plainText } from './parse.ts';

export interface Reading {
  readonly candidate: Candidate;
  /** What it may mean, the likeliest first. */
  readonly nodes: readonly Node[];
}

/** A gold answer is short: where it cannot be read, its last number is not the answer. Null: there is nothing in it. */
export function readGold(source: string, budget: Budget): Reading | null {
  const reading = read(candidates(source, 'gold'), 'gold', budget);
  if (reading?.candidate.place !== 'number' || source.length > 80 || /[a-z]{2,} [a-z]{2,} /i.test(source))
    return reading;
  return { candidate: { place: 'whole', text: source.trim() }, nodes: [text(plainText(normalize(source)))] };
}

/** The first candidate that can be read; null where none can. */
export function read(found: readonly Candidate[], extraction: Extraction, budget: Budget): Reading | null {
  let prose: Reading | null = null;
  for (const candidate of found) {
    try {
      const nodes = readings(candidate, budget);
      if (nodes.length === 0) continue;
      if (candidate.place === 'boxed' || candidate.place === 'marked' || !isProse(nodes[0]!))
        return { candidate, nodes };
      // Words that nobody marked as the answer: only where there is nothing else, and in strict mode not at all.
      if (extraction !== 'strict' || candidate.place === 'stated') prose ??= { candidate, nodes };
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
    }
  }
  return prose;
}

const isProse = (node: Node): boolean => node.kind === 'text' && node.text.split(' ').length > 4;

const DECIMAL_COMMA = /^(-?\s*)(0|\d{2,}|\d(?=,\d\d))\s*,\s*(\d+)(.*)$/;

function readings({ text: source, place }: Candidate, budget: Budget): Node[] {
  if (source.length > LONGEST) throw new TooMuchWork(`an answer of ${source.length} characters`);
  const nodes: Node[] = [];
  // 1000,99 may be one number; 1,000 and 1,2 are none of these.
  const comma = DECIMAL_COMMA.exec(source);
  const decimal =
    comma !== null && !/^[\d,]*,\d{3}(?!\d)/.test(source.replace(/^-?\s*0,.*/, '')) && !/[,;\d]/.test(comma[4]!);
  if (comma !== null && decimal) nodes.push(parse(`${comma[1]}${comma[2]}.${comma[3]}${comma[4]}`, budget));
  const letter = choiceOf(source);
  if (letter !== null && (place === 'boxed' || place === 'stated' || place === 'whole')) nodes.push(text(letter));
  try {
    nodes.unshift(parse(source, budget));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    if (nodes.length > 0) return nodes;
    // Marked as the answer, and no mathematics: words.
    const words = plainText(normalize(source));
    if ((place === 'boxed' || place === 'stated') && /[a-z]/.test(words) && words.length < 200) return [text(words)];
    throw error;
  }
  return nodes;
}

/** (C) 12, C. twelve, \textbf{(C)}\ 12: the letter of a choice, where its text follows. */
function choiceOf(source: string): string | null {
  const plain = source.slice(0, 40).replace(/\\(?:text|textbf|mathrm|textrm|mathbf)\s*\{([^{}]*)\}/g, '$1');
  return /^\s*(?:\(([A-J])\)|([A-J])[).:])\s*\\?\s*(?=\S)/.exec(plain)?.slice(1).find(Boolean)?.toLowerCase() ?? null;
}
