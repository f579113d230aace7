// Cutting text at the matches of a pattern, with the behaviours that tokenizer.json names.

export const SPLIT_BEHAVIOURS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type SplitBehaviour = (typeof SPLIT_BEHAVIOURS)[number];

/** Cuts text into pieces, none of them empty, in order. */
export type Splitter = (text: string) => string[];

/** `pattern` is global; with `invert` what it does not match counts as matched. */
export function splitter(pattern: RegExp, behaviour: SplitBehaviour, invert = false): Splitter {
  if (behaviour === 'Isolated') return (text) => isolate(text, pattern);
  return (text) => gather(cut(text, pattern, invert), behaviour);
}

/** Patterns of tokenizers usually match every character; then the matches are the pieces. */
function isolate(text: string, pattern: RegExp): string[] {
  const matches = text.match(pattern) ?? [];
  let covered = 0;
  for (const match of matches) {
    if (match.length === 0) return cut(text, pattern, false).map(({ piece }) => piece);
    covered += match.length;
  }
  return covered === text.length ? matches : cut(text, pattern, false).map(({ piece }) => piece);
}

interface Cut {
  piece: string;
  matched: boolean;
}

function cut(text: string, pattern: RegExp, invert: boolean): Cut[] {
  const cuts: Cut[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (match.length === 0) continue;
    if (index > end) cuts.push({ piece: text.slice(end, index), matched: invert });
    cuts.push({ piece: match, matched: !invert });
    end = index + match.length;
  }
  if (end < text.length) cuts.push({ piece: text.slice(end), matched: invert });
  return cuts;
}

function gather(cuts: Cut[], behaviour: SplitBehaviour): string[] {
  if (behaviour === 'Removed') return cuts.filter(({ matched }) => !matched).map(({ piece }) => piece);
  const forward = behaviour !== 'MergedWithNext';
  const pieces: string[] = [];
  let before: Cut | undefined;
  for (const current of forward ? cuts : cuts.toReversed()) {
    const joined =
      before !== undefined &&
      (behaviour === 'Contiguous' ? before.matched === current.matched : current.matched && !before.matched);
    if (!joined) pieces.push(current.piece);
    else pieces.push(forward ? pieces.pop()! + current.piece : current.piece + pieces.pop()!);
    before = current;
  }
  return forward ? pieces : pieces.reverse();
}
