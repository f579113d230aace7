// Rows of data as examples of tokens, through the chat template of the model.
import type { SftConfig } from '../config/sft.ts';
import { UserError } from '../errors.ts';
import type { Chat } from '../text/chat.ts';
import { readSupervised, type SupervisedRow } from './data.ts';
import type { Example } from './example.ts';
import { holdOut } from './plan.ts';

export interface SftData {
  readonly train: readonly Example[];
  readonly heldOut: readonly Example[];
  /** Examples that were left out because they are too long. */
  readonly skipped: number;
}

export function readExamples({ data, seed }: Pick<SftConfig, 'data' | 'seed'>, chat: Chat): SftData {
  let skipped = 0;
  const examplesOf = (rows: readonly SupervisedRow[]): Example[] =>
    rows.flatMap((row) => {
      const example = exampleOf(row, chat);
      if (example.tokens.length <= data.maxTokens) return [example];
      if (data.tooLong === 'error') {
        throw new UserError(
          `${row.where}: ${example.tokens.length} tokens, more than data.maxTokens ${data.maxTokens}; raise it, or set data.tooLong to skip`,
        );
      }
      skipped++;
      return [];
    });
  const rows = readSupervised(data.train);
  const split = data.heldOut === null ? holdOut(rows, data.heldOutShare, seed) : null;
  const train = examplesOf(split?.train ?? rows);
  const heldOut = examplesOf(split?.heldOut ?? readSupervised(data.heldOut!));
  if (train.length === 0) throw new UserError(`${data.train}: no example is left to train on`);
  return { train, heldOut, skipped };
}

function exampleOf({ where, messages, tools, firstTrained }: SupervisedRow, chat: Chat): Example {
  try {
    const { tokens, assistantMask: mask } = chat.encodeMasked(messages, { tools });
    // What precedes the answer of a pair is only read, even what the assistant says there.
    if (firstTrained > 0)
      mask.fill(0, 0, chat.encode(messages.slice(0, firstTrained), { tools, addGenerationPrompt: true }).length);
    mask[0] = 0;
    if (!mask.includes(1)) throw new UserError("nothing in it is the assistant's to imitate");
    return { tokens, mask };
  } catch (error) {
    throw new UserError(`${where}: ${(error as Error).message}`, { cause: error });
  }
}
