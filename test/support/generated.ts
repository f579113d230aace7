// Rows of a generation result, copied out of the native block.
import type { GenerateResult } from '../../lib/native/addon.ts';
import { addon } from './addon.ts';

export interface GeneratedRow {
  readonly tokens: Int32Array;
  readonly mask: Uint8Array;
  readonly logprob: Float32Array;
  readonly rawLogprob: Float32Array;
  readonly promptLength: number;
  readonly finishReason: number;
  /** Tokens after the prompt. */
  readonly completion: Int32Array;
}

export function rows(result: GenerateResult): GeneratedRow[] {
  const { buffer, columns, rows: count, offsetsByteOffset } = result.columns;
  const column = (name: string): (typeof columns)[number] => {
    const found = columns.find((c) => c.name === name);
    if (!found) throw new Error(`generate returned no column ${name}`);
    return found;
  };
  const offsets = new Int32Array(buffer, offsetsByteOffset, count + 1);
  const ints = (name: string): Int32Array => new Int32Array(buffer, column(name).byteOffset, column(name).length);
  const floats = (name: string): Float32Array => new Float32Array(buffer, column(name).byteOffset, column(name).length);
  const [tokens, logprob, rawLogprob] = [ints('tokens'), floats('logprob'), floats('raw_logprob')];
  const lengths = ints('prompt_length');
  const reasons = new Int8Array(buffer, column('finish_reason').byteOffset, count);
  const mask = column('loss_mask');
  const bits = new Uint8Array(buffer, mask.byteOffset);
  const out = Array.from({ length: count }, (_, r): GeneratedRow => {
    const [begin, end] = [offsets[r]!, offsets[r + 1]!];
    const own = tokens.slice(begin, end);
    return {
      tokens: own,
      mask: Uint8Array.from({ length: end - begin }, (_, i) => (bits[(begin + i) >> 3]! >> ((begin + i) & 7)) & 1),
      logprob: logprob.slice(begin, end),
      rawLogprob: rawLogprob.slice(begin, end),
      promptLength: lengths[r]!,
      finishReason: reasons[r]!,
      completion: own.slice(lengths[r]),
    };
  });
  addon.release(buffer);
  return out;
}

/** Values of all rows back to back, as model.score returns them. */
export function flat(pieces: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
